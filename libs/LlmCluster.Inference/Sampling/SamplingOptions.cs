namespace LlmCluster.Inference.Sampling;

/// <summary>How tokens are chosen. Immutable; shared by all choices of a request except for the seed.</summary>
public sealed record SamplingOptions
{
    /// <summary>Softmax temperature, 0 to 2; 0 is greedy.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Nucleus: keep the smallest set of tokens with at least this probability, over 0 to 1.</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Keep this many of the likeliest tokens; 0 for all.</summary>
    public int TopK { get; init; }

    /// <summary>Drop tokens below this share of the likeliest one's probability, 0 to 1.</summary>
    public float MinP { get; init; }

    /// <summary>Divides positive and multiplies negative logits of tokens seen in prompt or answer; over 0, 1 for none.</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Subtracted from the logits of tokens in the answer so far, -2 to 2.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted for every time that a token stands in the answer so far, -2 to 2.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Added to logits, by token id, -100 to 100.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Key of the counter-based generator; with the position it decides each draw.</summary>
    public ulong Seed { get; init; }

    /// <summary>How many likeliest tokens to report with each token; -1 for no logprobs at all, 0 for the chosen token's alone.</summary>
    public int TopLogprobs { get; init; } = -1;
}
