using LlmCluster.Bench.Statistics;
using Xunit;

namespace LlmCluster.Tests.Unit.Bench;

public sealed class PercentileTests
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(0.5, 3)]
    [InlineData(0.75, 4)]
    [InlineData(0.9, 4.6)]
    [InlineData(1, 5)]
    public void Percentiles_lie_between_samples_in_proportion(double share, double expected) =>
        Assert.Equal(expected, Percentile.Of([5, 3, 1, 4, 2], share), 1e-9);

    [Fact]
    public void Nothing_has_no_percentile() => Assert.Throws<InvalidOperationException>(() => Percentile.Of([], 0.5));
}
