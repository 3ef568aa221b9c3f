using System.Text.Json;
using System.Text.Json.Nodes;
using LlmCluster.Bench.Engine;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Models.Synthetic;
using Xunit;

namespace LlmCluster.Tests.Unit.Bench;

public sealed class EngineBenchmarkTests
{
    [Fact]
    public void Figures_come_from_the_runs_that_were_asked_for()
    {
        var options = new EngineBenchmarkOptions
        {
            Preset = ModelPreset.Tiny,
            Threads = 2,
            PromptTokens = 50,
            NewTokens = 5,
            Parallel = 3,
            ChunkTokens = 20,
            Weights = WeightDtype.F32,
            Runs = 2,
        };

        EngineBenchmarkResult result = EngineBenchmark.Run(options, new Progress<string>(), TestContext.Current.CancellationToken);

        Assert.Equal(2, result.PrefillRuns.Count);
        Assert.Equal(2, result.DecodeRuns.Count);
        Assert.All([.. result.PrefillRuns, .. result.DecodeRuns], rate => Assert.True(rate > 0));
        Assert.InRange(result.PrefillTokensPerSecond, result.PrefillRuns.Min(), result.PrefillRuns.Max());
        Assert.Equal(2, result.Peaks.Count);
        Assert.All(result.Peaks, peak => Assert.All(
            [peak.Undisturbed.MultiplyAdds, peak.Undisturbed.Products, peak.Usual.MultiplyAdds, peak.Usual.Products, peak.Bandwidth, peak.DecodeBytes], rate => Assert.True(rate > 0)));

        // How fast they are is no test's business: whatever else runs meanwhile may slow down one of both.
        Assert.True(double.IsFinite(result.GemmFraction) && result.GemmFraction > 0, $"The products reach {result.GemmFraction} of the peak.");
        JsonNode json = JsonSerializer.SerializeToNode(result)!;
        Assert.Equal(result.GemmFraction, (double)json["gemm_fraction"]!);
        Assert.Equal(result.GemmFractionUndisturbed, (double)json["gemm_fraction_undisturbed"]!);
        Assert.Equal(result.BandwidthFraction, (double)json["bandwidth_fraction"]!);
        Assert.Equal(("tiny", "f32", "f32"), (result.Preset, result.Dtype, result.KvDtype));
    }

    [Fact]
    public void A_context_that_is_too_long_is_refused()
    {
        var options = new EngineBenchmarkOptions { Preset = ModelPreset.Tiny, PromptTokens = 4000, NewTokens = 100 };
        ArgumentException error = Assert.Throws<ArgumentException>(() => EngineBenchmark.Run(options, new Progress<string>(), CancellationToken.None));
        Assert.Contains("4096", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_out_of_range_are_named()
    {
        var good = new EngineBenchmarkOptions();
        good.Validate();
        Refused(good with { Threads = 0 }, "Threads is 0; expected 1 to 1024.");
        Refused(good with { PromptTokens = 0 }, "PromptTokens is 0; expected at least 1.");
        Refused(good with { Runs = -1 }, "Runs is -1; expected 1 to 1000.");

        static void Refused(EngineBenchmarkOptions options, string expected) =>
            Assert.Equal(expected, Assert.Throws<ArgumentException>(options.Validate).Message);
    }
}
