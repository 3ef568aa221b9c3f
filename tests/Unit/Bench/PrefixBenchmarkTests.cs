using LlmCluster.Bench.Prefix;
using LlmCluster.Inference.Models.Synthetic;
using Xunit;

namespace LlmCluster.Tests.Unit.Bench;

public sealed class PrefixBenchmarkTests
{
    [Fact]
    public async Task The_second_prompt_of_each_run_finds_the_full_blocks_that_it_shares()
    {
        var options = new PrefixBenchmarkOptions { Preset = ModelPreset.Tiny, Threads = 1, PromptTokens = 100, SharedTokens = 70, Runs = 2 };
        PrefixBenchmarkResult result = await PrefixBenchmark.RunAsync(options, new Progress<string>(), TestContext.Current.CancellationToken);
        Assert.Equal((64, 2, 2), (result.CachedTokens, result.ColdRuns.Count, result.HitRuns.Count));
        Assert.True(result.Ratio > 0);
    }

    [Fact]
    public void Prompts_cannot_be_the_same()
    {
        var options = new PrefixBenchmarkOptions { PromptTokens = 10, SharedTokens = 10 };
        Assert.Contains("SharedTokens is 10", Assert.Throws<ArgumentException>(options.Validate).Message, StringComparison.Ordinal);
    }
}
