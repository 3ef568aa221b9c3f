using LlmCluster.Inference.Cpu;

namespace LlmCluster.Evaluation.Perplexity;

/// <summary>What <see cref="PerplexityMeasurement"/> does.</summary>
public sealed record PerplexityOptions
{
    /// <summary>The model, in Hugging Face layout.</summary>
    public required string ModelDirectory { get; init; }

    /// <summary>Conversations with what the assistant says, one JSON object with <c>messages</c> and maybe an <c>answer</c> to them a line.</summary>
    public required string DataFile { get; init; }

    /// <summary>Most conversations, the first ones; none: all.</summary>
    public int? Limit { get; init; }

    /// <summary>How the model runs.</summary>
    public CpuOptions Cpu { get; init; } = new();

    /// <summary>Checks the values on their own.</summary>
    /// <exception cref="ArgumentException">A value is out of range.</exception>
    public void Validate()
    {
        if (Limit < 1)
        {
            throw new ArgumentException($"{nameof(Limit)} is {Limit}; it must be at least 1.");
        }

        Cpu.Validate();
    }
}
