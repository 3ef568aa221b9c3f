using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Threading;
using LlmCluster.Inference.Models.Synthetic;

namespace LlmCluster.Bench.Interference;

/// <summary>What <see cref="InterferenceBenchmark"/> measures.</summary>
public sealed record InterferenceBenchmarkOptions
{
    /// <summary>Shape of the random model.</summary>
    public ModelPreset Preset { get; init; } = ModelPreset.Small88M;

    /// <summary>Number format of the weights.</summary>
    public WeightDtype Weights { get; init; } = WeightDtype.BF16;

    /// <summary>Threads of a mixed worker; a prefill and a decode worker have half of them each.</summary>
    public int Threads { get; init; } = UsableProcessors.Count;

    /// <summary>Sequences that decode all the time.</summary>
    public int Streams { get; init; } = 8;

    /// <summary>Tokens of their prompts.</summary>
    public int StreamPromptTokens { get; init; } = 128;

    /// <summary>Tokens of the prompts that arrive.</summary>
    public int PromptTokens { get; init; } = 2000;

    /// <summary>Prompts that arrive, each some time after the one before was answered.</summary>
    public int Prompts { get; init; } = 3;

    /// <summary>Time without prompts that the others are compared with.</summary>
    public TimeSpan Quiet { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>Time between an answer and the next prompt.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromSeconds(0.5);

    /// <summary>Longest step of the worker that computes prompts in chunks; zero: 1.6 times the quiet step of the same run.</summary>
    public TimeSpan StepTime { get; init; }

    /// <summary>Runs; medians are reported.</summary>
    public int Runs { get; init; } = 3;

    /// <summary>Checks the values.</summary>
    /// <exception cref="ArgumentException">One is out of range.</exception>
    public void Validate()
    {
        OptionCheck.Require(Threads is >= 1 and <= 1024, nameof(Threads), Threads, "1 to 1024");
        OptionCheck.Require(Streams is >= 1 and <= 64, nameof(Streams), Streams, "1 to 64");
        OptionCheck.Require(StreamPromptTokens >= 1, nameof(StreamPromptTokens), StreamPromptTokens, "at least 1");
        OptionCheck.Require(PromptTokens >= 1, nameof(PromptTokens), PromptTokens, "at least 1");
        OptionCheck.Require(Prompts >= 1, nameof(Prompts), Prompts, "at least 1");
        OptionCheck.Require(Runs is >= 1 and <= 1000, nameof(Runs), Runs, "1 to 1000");
        OptionCheck.Require(StepTime >= TimeSpan.Zero, nameof(StepTime), StepTime, "zero or more");
    }
}
