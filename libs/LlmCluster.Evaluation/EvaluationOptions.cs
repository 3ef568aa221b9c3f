using LlmCluster.Inference.Cpu;

namespace LlmCluster.Evaluation;

/// <summary>What <see cref="ModelEvaluation"/> does.</summary>
public sealed record EvaluationOptions
{
    /// <summary>The model, in Hugging Face layout.</summary>
    public required string ModelDirectory { get; init; }

    /// <summary>The held-out conversations, one JSON object a line.</summary>
    public required string DataFile { get; init; }

    /// <summary>Skills to evaluate, with all their buckets (<c>recall</c>) or with one (<c>recall_512</c>); none: all.</summary>
    public IReadOnlyList<string> Skills { get; init; } = [];

    /// <summary>Most conversations of each skill and bucket, the first ones; none: all.</summary>
    public int? Limit { get; init; }

    /// <summary>Conversations that are answered at the same time; never changes an answer.</summary>
    public int Parallel { get; init; } = 32;

    /// <summary>How the model runs.</summary>
    public CpuOptions Cpu { get; init; } = new();

    /// <summary>Checks the values on their own.</summary>
    /// <exception cref="ArgumentException">A value is out of range.</exception>
    public void Validate()
    {
        Require(Limit ?? 1, nameof(Limit));
        Require(Parallel, nameof(Parallel));
        Cpu.Validate();
    }

    private static void Require(int value, string name)
    {
        if (value < 1)
        {
            throw new ArgumentException($"{name} is {value}; it must be at least 1.");
        }
    }
}

/// <summary>How far an evaluation is.</summary>
/// <param name="Done">Conversations that are answered.</param>
/// <param name="Total">All conversations.</param>
public readonly record struct EvaluationProgress(int Done, int Total);
