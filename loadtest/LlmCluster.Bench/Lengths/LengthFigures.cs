using System.Text.Json.Serialization;

namespace LlmCluster.Bench.Lengths;

/// <summary>
/// How good predictions of output lengths were. The pinball loss of quantile q is q times what the output was longer by, or 1 - q times what it was shorter by; the mean over
/// outputs and over the four quantiles, in tokens.
/// </summary>
public sealed record LengthFigures
{
    /// <summary>Outputs that were predicted.</summary>
    [JsonPropertyName("outputs")]
    public required int Outputs { get; init; }

    /// <summary>Share of outputs no longer than their predicted 0.1 quantile.</summary>
    [JsonPropertyName("coverage_10")]
    public required double Coverage10 { get; init; }

    /// <summary>The same of the median.</summary>
    [JsonPropertyName("coverage_50")]
    public required double Coverage50 { get; init; }

    /// <summary>The same of the 0.9 quantile.</summary>
    [JsonPropertyName("coverage_90")]
    public required double Coverage90 { get; init; }

    /// <summary>The same of the 0.99 quantile.</summary>
    [JsonPropertyName("coverage_99")]
    public required double Coverage99 { get; init; }

    /// <summary>Pinball loss of the predictor.</summary>
    [JsonPropertyName("pinball")]
    public required double Pinball { get; init; }

    /// <summary>Pinball loss of the mean of all outputs so far, taken for every quantile.</summary>
    [JsonPropertyName("pinball_mean")]
    public required double PinballMean { get; init; }

    /// <summary>Pinball loss of the quantiles of all outputs so far, in one histogram.</summary>
    [JsonPropertyName("pinball_global")]
    public required double PinballGlobal { get; init; }

    /// <summary>The predictor's loss by that of the mean.</summary>
    [JsonPropertyName("pinball_ratio")]
    public double PinballRatio => Math.Round(Pinball / PinballMean, 4);

    /// <summary>The predictor's loss by that of one histogram.</summary>
    [JsonPropertyName("pinball_ratio_global")]
    public double PinballRatioGlobal => Math.Round(Pinball / PinballGlobal, 4);
}
