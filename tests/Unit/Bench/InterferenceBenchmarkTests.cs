using System.Text.Json;
using System.Text.Json.Nodes;
using LlmCluster.Bench.Interference;
using LlmCluster.Inference.Models.Synthetic;
using Xunit;

namespace LlmCluster.Tests.Unit.Bench;

public sealed class InterferenceBenchmarkTests
{
    [Fact]
    public async Task Every_way_of_serving_is_measured()
    {
        var options = new InterferenceBenchmarkOptions
        {
            Preset = ModelPreset.Tiny,
            Threads = 2,
            Streams = 2,
            StreamPromptTokens = 20,
            PromptTokens = 200,
            Prompts = 2,
            Quiet = TimeSpan.FromMilliseconds(100),
            Pause = TimeSpan.FromMilliseconds(10),
            Runs = 1,
        };

        InterferenceBenchmarkResult result = await InterferenceBenchmark.RunAsync(options, new Progress<string>(), TestContext.Current.CancellationToken);

        Assert.Equal(["chunked", "separated", "whole"], result.Modes.Keys.Order());
        Assert.All(result.Modes.Values, mode =>
        {
            Assert.InRange(mode.QuietP50, 0, mode.QuietP99);
            Assert.InRange(mode.P50, 0, mode.P99);
            Assert.True(mode.QuietP99 > 0 && mode.P99 > 0);
            Assert.True(mode.Ttft > 0);
            Assert.Single(mode.Ratios);
        });
        JsonNode json = JsonSerializer.SerializeToNode(result)!;
        Assert.Equal(result.Modes["chunked"].P99, (double)json["modes"]!["chunked"]!["tpot_p99_ms"]!);
    }

    [Fact]
    public async Task Prompts_longer_than_the_context_are_refused()
    {
        var options = new InterferenceBenchmarkOptions { Preset = ModelPreset.Tiny, PromptTokens = 1 << 20 };
        ArgumentException error = await Assert.ThrowsAsync<ArgumentException>(() => InterferenceBenchmark.RunAsync(options, new Progress<string>(), CancellationToken.None));
        Assert.Contains("exceeds the model's context", error.Message, StringComparison.Ordinal);
    }
}
