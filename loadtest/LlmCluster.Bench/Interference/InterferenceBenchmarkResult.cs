using System.Text.Json.Serialization;
using LlmCluster.Bench.Statistics;

namespace LlmCluster.Bench.Interference;

/// <summary>What <see cref="InterferenceBenchmark"/> measured.</summary>
public sealed record InterferenceBenchmarkResult
{
    /// <summary>Name of the benchmark.</summary>
    [JsonPropertyName("benchmark")]
    public string Benchmark { get; } = "interference";

    /// <summary>Sequences that decoded all the time.</summary>
    [JsonPropertyName("streams")]
    public required int Streams { get; init; }

    /// <summary>Tokens of the prompts that arrived.</summary>
    [JsonPropertyName("prompt")]
    public required int PromptTokens { get; init; }

    /// <summary>Prompts of each run.</summary>
    [JsonPropertyName("prompts")]
    public required int Prompts { get; init; }

    /// <summary>Threads in all.</summary>
    [JsonPropertyName("threads")]
    public required int Threads { get; init; }

    /// <summary>By way of serving: <c>whole</c> (a prompt in one step), <c>chunked</c>, <c>separated</c>.</summary>
    [JsonPropertyName("modes")]
    public required IReadOnlyDictionary<string, InterferenceMode> Modes { get; init; }
}

/// <summary>Figures of one way of serving: medians over the runs, in milliseconds.</summary>
public sealed record InterferenceMode
{
    /// <summary>One run.</summary>
    public readonly record struct Run(double QuietP50, double QuietP99, double P50, double P99, double Ttft);

    /// <summary>The runs.</summary>
    [JsonIgnore]
    public IReadOnlyList<Run> Runs { get; init; } = [];

    /// <summary>Half of the gaps between tokens are shorter, without prompts.</summary>
    [JsonPropertyName("quiet_tpot_p50_ms")]
    public double QuietP50 => Median(static run => run.QuietP50);

    /// <summary>All but a hundredth are shorter, without prompts.</summary>
    [JsonPropertyName("quiet_tpot_p99_ms")]
    public double QuietP99 => Median(static run => run.QuietP99);

    /// <summary>Half of the gaps are shorter, while prompts are computed.</summary>
    [JsonPropertyName("tpot_p50_ms")]
    public double P50 => Median(static run => run.P50);

    /// <summary>All but a hundredth are shorter, while prompts are computed.</summary>
    [JsonPropertyName("tpot_p99_ms")]
    public double P99 => Median(static run => run.P99);

    /// <summary>p99 while prompts are computed beside the quiet p99; median of the runs' ratios.</summary>
    [JsonPropertyName("p99_ratio")]
    public double Ratio => Median(static run => run.P99 / run.QuietP99);

    /// <summary>Each run's ratio.</summary>
    [JsonPropertyName("p99_ratios")]
    public IReadOnlyList<double> Ratios => [.. Runs.Select(static run => Math.Round(run.P99 / run.QuietP99, 2))];

    /// <summary>From a prompt's arrival to its first token.</summary>
    [JsonPropertyName("ttft_ms")]
    public double Ttft => Median(static run => run.Ttft);

    private double Median(Func<Run, double> value) => Percentile.Median([.. Runs.Select(value)], 2);
}
