using FsCheck;
using FsCheck.Fluent;
using LlmCluster.Inference.Tokenization.Normalizers;
using Xunit;

namespace LlmCluster.Tests.Unit.Tokenization;

public class UnicodeNormalizationTests
{
    [Theory]
    [InlineData("e\u0301", "\u00E9", "e\u0301", "\u00E9", "e\u0301")]
    [InlineData("\u212B", "\u00C5", "A\u030A", "\u00C5", "A\u030A")]
    [InlineData("\uFB01", "\uFB01", "\uFB01", "fi", "fi")]
    [InlineData("\u1E9B\u0323", "\u1E9B\u0323", "\u017F\u0323\u0307", "\u1E69", "s\u0323\u0307")]
    [InlineData("\u1100\u1161\u11A8", "\uAC01", "\u1100\u1161\u11A8", "\uAC01", "\u1100\u1161\u11A8")]
    [InlineData("\uAC00\u11A8", "\uAC01", "\u1100\u1161\u11A8", "\uAC01", "\u1100\u1161\u11A8")]
    [InlineData("q\u0307\u0323", "q\u0323\u0307", "q\u0323\u0307", "q\u0323\u0307", "q\u0323\u0307")]
    [InlineData("\u0344", "\u0308\u0301", "\u0308\u0301", "\u0308\u0301", "\u0308\u0301")]
    [InlineData("\U0001D15E", "\U0001D157\U0001D165", "\U0001D157\U0001D165", "\U0001D157\U0001D165", "\U0001D157\U0001D165")]
    [InlineData("\u0958\u2126\uF900", "\u0915\u093C\u03A9\u8C48", "\u0915\u093C\u03A9\u8C48", "\u0915\u093C\u03A9\u8C48", "\u0915\u093C\u03A9\u8C48")]
    [InlineData("①㍿", "①㍿", "①㍿", "1株式会社", "1株式会社")]
    public void Forms_are_those_of_the_standard(string text, string nfc, string nfd, string nfkc, string nfkd)
    {
        Assert.Equal(nfc, UnicodeNormalization.Normalize(text, compatibility: false, compose: true));
        Assert.Equal(nfd, UnicodeNormalization.Normalize(text, compatibility: false, compose: false));
        Assert.Equal(nfkc, UnicodeNormalization.Normalize(text, compatibility: true, compose: true));
        Assert.Equal(nfkd, UnicodeNormalization.Normalize(text, compatibility: true, compose: false));
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(true, false)]
    public void Normalizing_twice_is_normalizing_once(bool compatibility, bool compose) =>
        Prop.ForAll(Texts.Any, text =>
        {
            string once = UnicodeNormalization.Normalize(text, compatibility, compose);
            return UnicodeNormalization.Normalize(once, compatibility, compose) == once;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    [Fact]
    public void A_long_run_of_marks_is_sorted_in_no_time()
    {
        string marks = string.Concat(Enumerable.Repeat("\u0301\u0323", 200_000));
        string sorted = UnicodeNormalization.Normalize("a" + marks, compatibility: false, compose: false);
        Assert.Equal("a" + new string('\u0323', 200_000) + new string('\u0301', 200_000), sorted);
    }
}
