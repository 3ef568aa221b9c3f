using System.Text.Json.Serialization;
using LlmCluster.Bench.Statistics;

namespace LlmCluster.Bench.Prefix;

/// <summary>What <see cref="PrefixBenchmark"/> measured.</summary>
public sealed record PrefixBenchmarkResult
{
    /// <summary>Name of the benchmark.</summary>
    [JsonPropertyName("benchmark")]
    public string Benchmark { get; } = "prefix";

    /// <summary>Tokens of each prompt.</summary>
    [JsonPropertyName("prompt")]
    public required int PromptTokens { get; init; }

    /// <summary>Leading tokens that two prompts have in common.</summary>
    [JsonPropertyName("shared")]
    public required int SharedTokens { get; init; }

    /// <summary>Tokens that the second prompt found in the cache: those in full blocks.</summary>
    [JsonPropertyName("cached")]
    public required int CachedTokens { get; init; }

    /// <summary>Threads.</summary>
    [JsonPropertyName("threads")]
    public required int Threads { get; init; }

    /// <summary>Milliseconds from a prompt to its first token, nothing of it being cached; each run.</summary>
    [JsonPropertyName("cold_runs_ms")]
    public required IReadOnlyList<double> ColdRuns { get; init; }

    /// <summary>The same for a prompt of which the beginning is cached.</summary>
    [JsonPropertyName("hit_runs_ms")]
    public required IReadOnlyList<double> HitRuns { get; init; }

    /// <summary>Median of <see cref="ColdRuns"/>.</summary>
    [JsonPropertyName("cold_ttft_ms")]
    public double Cold => Percentile.Median(ColdRuns, 1);

    /// <summary>Median of <see cref="HitRuns"/>.</summary>
    [JsonPropertyName("hit_ttft_ms")]
    public double Hit => Percentile.Median(HitRuns, 1);

    /// <summary>How many times sooner the first token comes; median of the runs' ratios.</summary>
    [JsonPropertyName("ratio")]
    public double Ratio => Percentile.Median([.. ColdRuns.Zip(HitRuns, static (cold, hit) => cold / hit)], 2);
}
