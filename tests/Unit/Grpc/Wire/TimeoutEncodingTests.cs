using FsCheck;
using FsCheck.Fluent;
using Grpc.Core.Wire;
using Xunit;

namespace LlmCluster.Tests.Unit.Grpc.Wire;

public sealed class TimeoutEncodingTests
{
    [Theory]
    [InlineData("1H", 36_000_000_000)]
    [InlineData("2M", 1_200_000_000)]
    [InlineData("30S", 300_000_000)]
    [InlineData("250m", 2_500_000)]
    [InlineData("7u", 70)]
    [InlineData("100n", 1)]
    [InlineData("1n", 1)]
    [InlineData("0m", 0)]
    [InlineData("99999999H", 99_999_999L * 36_000_000_000)]
    public void Every_unit_is_understood(string text, long ticks)
    {
        Assert.True(TimeoutEncoding.TryDecode(text, out TimeSpan timeout));
        Assert.Equal(ticks, timeout.Ticks);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("S")]
    [InlineData("10")]
    [InlineData("10x")]
    [InlineData("-1S")]
    [InlineData("+1S")]
    [InlineData(" 1S")]
    [InlineData("1.5S")]
    [InlineData("123456789m")]
    public void Anything_else_is_refused(string? text) => Assert.False(TimeoutEncoding.TryDecode(text, out _));

    [Fact]
    public void An_encoded_timeout_fits_and_is_never_shorter_nor_much_longer() =>
        Prop.ForAll(ArbMap.Default.ArbFor<PositiveInt>(), Gen.Choose(0, 30).ToArbitrary(), (seed, shift) =>
        {
            var timeout = TimeSpan.FromTicks((long)seed.Get << shift);
            string text = TimeoutEncoding.Encode(timeout);
            return text.Length <= 9
                && TimeoutEncoding.TryDecode(text, out TimeSpan decoded)
                && decoded >= timeout
                && (decoded - timeout).TotalSeconds <= Math.Max(timeout.TotalSeconds * 1e-5, 1e-7);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_timeout_that_has_passed_is_zero() => Assert.Equal("0n", TimeoutEncoding.Encode(TimeSpan.FromSeconds(-3)));
}
