using System.Text.Json.Serialization;

namespace LlmCluster.Bench.Lengths;

/// <summary>What <see cref="LengthsBenchmark"/> found. The figures on top are those on arrival.</summary>
public sealed record LengthsBenchmarkResult
{
    /// <summary>Name of the benchmark.</summary>
    [JsonPropertyName("benchmark")]
    public string Benchmark { get; } = "lengths";

    /// <summary>Requests of the trace.</summary>
    [JsonPropertyName("requests")]
    public required int Requests { get; init; }

    /// <summary>Milliseconds to the first token.</summary>
    [JsonPropertyName("ttft_ms")]
    public required int TimeToFirstToken { get; init; }

    /// <summary>Milliseconds from token to token.</summary>
    [JsonPropertyName("tpot_ms")]
    public required int TimePerToken { get; init; }

    /// <summary>Most requests that were in flight at the same time.</summary>
    [JsonPropertyName("most_in_flight")]
    public required int MostInFlight { get; init; }

    /// <summary>Share of outputs no longer than their predicted median.</summary>
    [JsonPropertyName("coverage_50")]
    public double Coverage50 => Arrival.Coverage50;

    /// <summary>The same of the 0.9 quantile.</summary>
    [JsonPropertyName("coverage_90")]
    public double Coverage90 => Arrival.Coverage90;

    /// <summary>The same of the 0.99 quantile.</summary>
    [JsonPropertyName("coverage_99")]
    public double Coverage99 => Arrival.Coverage99;

    /// <summary>The predictor's loss by that of a running mean.</summary>
    [JsonPropertyName("pinball_ratio")]
    public double PinballRatio => Arrival.PinballRatio;

    /// <summary>Predicted on arrival.</summary>
    [JsonPropertyName("arrival")]
    public required LengthFigures Arrival { get; init; }

    /// <summary>
    /// Predicted when half of the output was generated. That moment depends on the length itself, so coverage is not expected to equal the quantiles here; the loss
    /// shows what is gained.
    /// </summary>
    [JsonPropertyName("half")]
    public required LengthFigures? Half { get; init; }

    /// <summary>After so many tokens, outputs that were longer were predicted again.</summary>
    [JsonPropertyName("after_tokens")]
    public required int AfterTokens { get; init; }

    /// <summary>Predicted then; coverage should equal the quantiles.</summary>
    [JsonPropertyName("after")]
    public required LengthFigures? After { get; init; }
}
