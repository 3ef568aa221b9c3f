using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;

namespace LlmCluster.Bench.Engine;

/// <summary>What <see cref="EngineBenchmark"/> measures.</summary>
public sealed record EngineBenchmarkOptions
{
    /// <summary>Shape of the random model; unused with <see cref="ModelDirectory"/>.</summary>
    public ModelPreset Preset { get; init; } = ModelPreset.Small88M;

    /// <summary>Decoder family of the random model.</summary>
    public ModelArchitecture Architecture { get; init; } = ModelArchitecture.Llama;

    /// <summary>A checkpoint to measure instead of a random one.</summary>
    public string? ModelDirectory { get; init; }

    /// <summary>Threads of the runner; see <see cref="CpuOptions.Threads"/>.</summary>
    public int? Threads { get; init; }

    /// <summary>Processors that they are tied to; see <see cref="CpuOptions.Affinity"/>.</summary>
    public string? Affinity { get; init; }

    /// <summary>Tokens of each prompt.</summary>
    public int PromptTokens { get; init; } = 512;

    /// <summary>Tokens that each sequence decodes after its prompt.</summary>
    public int NewTokens { get; init; } = 128;

    /// <summary>Sequences: their prompts run one after the other, their decode steps together.</summary>
    public int Parallel { get; init; } = 1;

    /// <summary>Most prompt tokens of one forward pass.</summary>
    public int ChunkTokens { get; init; } = 512;

    /// <summary>Number format of the weights; none: BF16 for a random model, a checkpoint's own.</summary>
    public WeightDtype? Weights { get; init; }

    /// <summary>Number format of the KV cache; none: that of the weights.</summary>
    public KvDtype? Kv { get; init; }

    /// <summary>Instruction set; none: the widest there is.</summary>
    public CpuIsa? Isa { get; init; }

    /// <summary>Whether decode asks memory ahead for weights; see <see cref="CpuOptions.PrefetchWeights"/>.</summary>
    public bool? PrefetchWeights { get; init; }

    /// <summary>Measured runs, after one to warm up; the medians are reported.</summary>
    public int Runs { get; init; } = 3;

    /// <summary>Checks the values on their own.</summary>
    /// <exception cref="ArgumentException">A value is out of range.</exception>
    public void Validate()
    {
        OptionCheck.Require((Threads ?? 1) is >= 1 and <= 1024, nameof(Threads), Threads ?? 1, "1 to 1024");
        OptionCheck.Require(PromptTokens >= 1, nameof(PromptTokens), PromptTokens, "at least 1");
        OptionCheck.Require(NewTokens >= 1, nameof(NewTokens), NewTokens, "at least 1");
        OptionCheck.Require(Parallel >= 1, nameof(Parallel), Parallel, "at least 1");
        OptionCheck.Require(ChunkTokens >= 1, nameof(ChunkTokens), ChunkTokens, "at least 1");
        OptionCheck.Require(Runs is >= 1 and <= 1000, nameof(Runs), Runs, "1 to 1000");
    }
}
