using FsCheck;
using FsCheck.Fluent;
using LlmCluster.Inference.Tokenization.Patterns;
using Xunit;

namespace LlmCluster.Tests.Unit.Tokenization;

public class PatternTests
{
    public static TheoryData<string> WrittenOut => [Gpt2Scanner.Pattern, TiktokenScanner.ThreeDigits, TiktokenScanner.OneDigit];

    [Theory]
    [MemberData(nameof(WrittenOut))]
    public void A_scanner_finds_what_its_pattern_finds(string pattern)
    {
        var scanner = RegexPattern.Create(pattern);
        Assert.IsAssignableFrom<WordScanner>(scanner);
        var regex = new RegexPattern(pattern);
        Prop.ForAll(Texts.Any, text => Assert.Equal(Matches(regex, text), Matches(scanner, text)))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
    }

    [Theory]
    [InlineData(@"\p{L}+", "a𐌰b1", "a𐌰b")]
    [InlineData(@"[^\p{L}]", "𐌰😀", "😀")]
    [InlineData(".", "😀\nx", "😀|x")]
    [InlineData(@"\S", "\u0085😀", "😀")]
    [InlineData("[😀-😂]+", "😁😃😂", "😁|😂")]
    [InlineData("(?i:straSSe|k)", "STRASSE K \u212A", "STRASSE|K|\u212A")]
    [InlineData("(?i:ǅ)", "ǆ Ǆ", "ǆ|Ǆ")]
    [InlineData("a++b|a", "aab aa", "aab|a|a")]
    [InlineData("x{2}?y", "xxy y", "xxy|y")]
    [InlineData("^b$", "a\nb\nc", "b")]
    [InlineData(@"[a-f&&[^b-d]]+", "abcdef", "a|ef")]
    [InlineData(@"\x{1F600}|\u65E5", "日😀", "日|😀")]
    [InlineData(@"\bé\b", "é éa é", "é|é")]
    public void Patterns_see_code_points(string pattern, string text, string expected) =>
        Assert.Equal(expected.Split('|'), Matches(new RegexPattern(pattern), text).Select(m => text.Substring(m.Start, m.Length)));

    [Theory]
    [InlineData("(a", "')' is missing")]
    [InlineData("a)", "')' has no '('")]
    [InlineData("[a", "ends too early")]
    [InlineData("*a", "nothing to repeat")]
    [InlineData(@"\p{Klingon}", "unknown property \"Klingon\"")]
    [InlineData(@"\X", @"the escape \X is not supported")]
    [InlineData(@"(?x: a)", "kind is not supported")]
    [InlineData(@"a\", "backslash ends the pattern")]
    public void Patterns_that_are_not_understood_are_refused(string pattern, string reason) =>
        Assert.Contains(reason, Assert.Throws<PatternException>(() => new RegexPattern(pattern)).Message, StringComparison.Ordinal);

    [Fact]
    public void Case_variants_are_those_of_unicode()
    {
        Assert.Equal([0x53, 0x17F], CodePointSet.Of('s').IgnoreCase().Intersect(CodePointSet.Of('s').Complement()).Ranges.ToArray().Select(r => r.First));
        Assert.Equal([0x4B, 0x212A], CaseVariants.Of('k').ToArray().Order());
        Assert.Empty(CaseVariants.Of('1').ToArray());
    }

    private static List<(int Start, int Length)> Matches(ITextPattern pattern, string text)
    {
        var sink = new ListSink();
        pattern.Find(text, sink);
        return sink.Found;
    }

    private sealed class ListSink : IMatchSink
    {
        public List<(int Start, int Length)> Found { get; } = [];

        public void Match(int start, int length) => Found.Add((start, length));
    }
}
