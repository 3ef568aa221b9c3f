using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Threading;
using LlmCluster.Inference.Models.Synthetic;

namespace LlmCluster.Bench.Prefix;

/// <summary>What <see cref="PrefixBenchmark"/> measures.</summary>
public sealed record PrefixBenchmarkOptions
{
    /// <summary>Shape of the random model.</summary>
    public ModelPreset Preset { get; init; } = ModelPreset.Small88M;

    /// <summary>Number format of the weights.</summary>
    public WeightDtype Weights { get; init; } = WeightDtype.BF16;

    /// <summary>Threads of the worker.</summary>
    public int Threads { get; init; } = UsableProcessors.Count;

    /// <summary>Tokens of each prompt.</summary>
    public int PromptTokens { get; init; } = 2000;

    /// <summary>Leading tokens that the second prompt of a run has in common with the first.</summary>
    public int SharedTokens { get; init; } = 1900;

    /// <summary>Runs, after one to warm up; medians are reported.</summary>
    public int Runs { get; init; } = 5;

    /// <summary>Checks the values.</summary>
    /// <exception cref="ArgumentException">One is out of range.</exception>
    public void Validate()
    {
        OptionCheck.Require(Threads is >= 1 and <= 1024, nameof(Threads), Threads, "1 to 1024");
        OptionCheck.Require(PromptTokens >= 1, nameof(PromptTokens), PromptTokens, "at least 1");
        OptionCheck.Require(SharedTokens >= 0 && SharedTokens < PromptTokens, nameof(SharedTokens), SharedTokens, "less than the prompt has");
        OptionCheck.Require(Runs is >= 1 and <= 1000, nameof(Runs), Runs, "1 to 1000");
    }
}
