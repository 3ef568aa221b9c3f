using System.Diagnostics.Metrics;
using System.Globalization;

namespace LlmCluster.Inference.Scheduling.Prediction;

/// <summary>
/// How good predicted lengths are: <c>llmcluster.output_length.predictions</c> counts outputs that ended, once for each quantile that was predicted on arrival, and tells
/// whether the output was no longer than that. Of all with <c>quantile="0.9"</c>, about nine in ten should be <c>covered="true"</c>.
/// </summary>
internal static class LengthMetrics
{
    private static readonly Meter Meter = new("LlmCluster.Inference");

    private static readonly Counter<long> Predictions = Meter.CreateCounter<long>(
        "llmcluster.output_length.predictions", "{output}", "Outputs by whether they were no longer than a quantile predicted on their arrival.");

    private static readonly Histogram<long> Tokens = Meter.CreateHistogram<long>(
        "llmcluster.output_length.tokens", "{token}", "Tokens of outputs that ended.");

    /// <summary>Takes note of a prediction and what came of it.</summary>
    public static void Add(double quantile, bool covered) => Predictions.Add(
        1,
        new KeyValuePair<string, object?>("quantile", quantile.ToString(CultureInfo.InvariantCulture)),
        new KeyValuePair<string, object?>("covered", covered ? "true" : "false"));

    /// <summary>Takes note of an output's length.</summary>
    public static void Add(int tokens) => Tokens.Record(tokens);
}
