using System.Text.Json.Serialization;

namespace LlmCluster.Evaluation.Perplexity;

/// <summary>What <see cref="PerplexityMeasurement"/> found.</summary>
public sealed record PerplexityReport
{
    /// <summary>Name of the model's folder.</summary>
    [JsonPropertyName("model")]
    public required string Model { get; init; }

    /// <summary>Number format of the weights.</summary>
    [JsonPropertyName("weights")]
    public required string Weights { get; init; }

    /// <summary>Number format of the KV cache.</summary>
    [JsonPropertyName("kv")]
    public required string Kv { get; init; }

    /// <summary>Bytes of the packed weights.</summary>
    [JsonPropertyName("weight_bytes")]
    public required long WeightBytes { get; init; }

    /// <summary>Conversations that were read.</summary>
    [JsonPropertyName("conversations")]
    public required int Conversations { get; init; }

    /// <summary>Tokens that the assistant says in them.</summary>
    [JsonPropertyName("tokens")]
    public required long Tokens { get; init; }

    /// <summary>Mean negative logarithm of their probabilities.</summary>
    [JsonPropertyName("loss")]
    public required double Loss { get; init; }

    /// <summary><c>e</c> to the power of <see cref="Loss"/>: 1 if every token was certain.</summary>
    [JsonPropertyName("perplexity")]
    public double Perplexity => Math.Exp(Loss);
}
