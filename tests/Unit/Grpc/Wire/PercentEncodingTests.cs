using FsCheck;
using FsCheck.Fluent;
using Grpc.Core.Wire;
using Xunit;

namespace LlmCluster.Tests.Unit.Grpc.Wire;

public sealed class PercentEncodingTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("plain text, with punctuation: !~", "plain text, with punctuation: !~")]
    [InlineData("100%", "100%25")]
    [InlineData("a\nb\r\t", "a%0Ab%0D%09")]
    [InlineData("größe", "gr%C3%B6%C3%9Fe")]
    [InlineData("模型 🦙", "%E6%A8%A1%E5%9E%8B %F0%9F%A6%99")]
    public void Messages_are_encoded_as_the_protocol_says(string text, string encoded)
    {
        Assert.Equal(encoded, PercentEncoding.Encode(text));
        Assert.Equal(text, PercentEncoding.Decode(encoded));
    }

    [Theory]
    [InlineData("50% of it", "50% of it")]
    [InlineData("%", "%")]
    [InlineData("%4", "%4")]
    [InlineData("%zz%41", "%zzA")]
    [InlineData("%ff", "\uFFFD")]
    [InlineData("%c3%b6", "ö")]
    public void What_is_not_encoded_properly_is_still_readable(string encoded, string text) =>
        Assert.Equal(text, PercentEncoding.Decode(encoded));

    [Fact]
    public void Every_text_survives_and_travels_as_printable_ascii() =>
        Prop.ForAll<NonNull<string>>(text =>
        {
            // Lone surrogates aren't text; they become U+FFFD.
            string valid = System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(text.Get));
            string encoded = PercentEncoding.Encode(valid);
            return encoded.All(c => c is >= ' ' and <= '~') && PercentEncoding.Decode(encoded) == valid;
        }).QuickCheckThrowOnFailure();
}
