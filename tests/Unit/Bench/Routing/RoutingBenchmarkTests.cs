using LlmCluster.Bench.Routing;
using LlmCluster.Bench.Traces;
using Xunit;

namespace LlmCluster.Tests.Unit.Bench.Routing;

public sealed class RoutingBenchmarkTests
{
    [Fact]
    public void The_best_hit_rate_is_that_of_one_cache_which_sees_every_request()
    {
        TraceRequest[] trace = [new(0, 1024, 1, [1, 2]), new(0, 1536, 1, [1, 2, 3]), new(1, 512, 1, [9]), new(2, 1536, 1, [1, 2, 3])];

        // 1024 of the second, and all but the last token of the fourth.
        Assert.Equal(Math.Round((1024 + 1535) / 4608.0, 4), RoutingBenchmark.BestHitRate(trace, 100));

        // With room for three, the third evicts the last block of the second.
        Assert.Equal(Math.Round(2048 / 4608.0, 4), RoutingBenchmark.BestHitRate(trace, 3));
    }

    [Theory]
    [InlineData("Decode is 0", 2, 0, 0)]
    [InlineData("Decode is 2", 0, 2, 1)]
    [InlineData("Mixed is 0", 0, 0, 0)]
    [InlineData("Prefill is 300", 300, 1, 0)]
    public void Workers_are_checked(string expected, int prefill, int decode, int mixed) =>
        Refuses(expected, new RoutingBenchmarkOptions { Trace = "t", Prefill = prefill, Decode = decode, Mixed = mixed });

    [Fact]
    public void Options_are_checked()
    {
        var options = new RoutingBenchmarkOptions { Trace = "t" };
        options.Validate();
        Refuses("Policies is best; expected some of cost, round-robin", options with { Policies = ["cost", "best"] });
        Refuses("RateScale is 0", options with { RateScale = 0 });
        Refuses("Requests is 0", options with { Requests = 0 });
        Refuses("PoolBlocks is 0", options with { PoolBlocks = 0 });
        Refuses("StepMs is NaN", options with { StepMs = double.NaN });
    }

    private static void Refuses(string expected, RoutingBenchmarkOptions options) =>
        Assert.Contains(expected, Assert.Throws<ArgumentException>(options.Validate).Message, StringComparison.Ordinal);
}
