using System.Text.Json.Serialization;

namespace LlmCluster.Bench.Routing;

/// <summary>What <see cref="RoutingBenchmark"/> found.</summary>
public sealed record RoutingBenchmarkResult
{
    /// <summary>Name of the benchmark.</summary>
    [JsonPropertyName("benchmark")]
    public string Benchmark { get; } = "routing";

    /// <summary>Requests that were replayed.</summary>
    [JsonPropertyName("requests")]
    public required int Requests { get; init; }

    /// <summary>Their prompt tokens.</summary>
    [JsonPropertyName("prompt_tokens")]
    public required long PromptTokens { get; init; }

    /// <summary>Seconds from the first arrival to the last.</summary>
    [JsonPropertyName("seconds")]
    public required double Seconds { get; init; }

    /// <summary>What was simulated, and the cost model, in words.</summary>
    [JsonPropertyName("cost_model")]
    public required IReadOnlyList<string> CostModel { get; init; }

    /// <summary>Hit rate of one cache with the blocks of all workers together which sees every request, in order of arrival and at once.</summary>
    [JsonPropertyName("best_hit_rate")]
    public required double BestHitRate { get; init; }

    /// <summary>How the policies did, by name.</summary>
    [JsonPropertyName("policies")]
    public required IReadOnlyDictionary<string, PolicyFigures> Policies { get; init; }
}
