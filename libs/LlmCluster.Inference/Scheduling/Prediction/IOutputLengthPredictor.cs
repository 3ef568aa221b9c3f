namespace LlmCluster.Inference.Scheduling.Prediction;

/// <summary>Predicts how many tokens requests generate, and learns from those that ended. Members may be called from any thread.</summary>
internal interface IOutputLengthPredictor
{
    /// <summary>Quantiles of an output's length, given what of it has been generated.</summary>
    /// <param name="shape">The request.</param>
    /// <param name="generated">Tokens generated so far; the output is longer than that.</param>
    /// <param name="quantiles">Each over 0 and below 1.</param>
    /// <param name="lengths">
    /// Gets for each quantile the least length that the whole output exceeds with no more than the rest of the probability: over
    /// <paramref name="generated"/>, and at most the request's <see cref="RequestShape.MaxTokens"/>. Never less for a higher quantile or for more generated tokens.
    /// </param>
    void Predict(in RequestShape shape, int generated, ReadOnlySpan<double> quantiles, Span<int> lengths);

    /// <summary>Takes note of an output.</summary>
    /// <param name="shape">The request.</param>
    /// <param name="tokens">Tokens generated; nothing is learnt from none.</param>
    /// <param name="ended">Whether it came to its own end. Otherwise something cut it short, and all that is known is that it is longer.</param>
    void Observe(in RequestShape shape, int tokens, bool ended);
}

/// <summary>Single predictions.</summary>
internal static class OutputLengthPredictorExtensions
{
    /// <summary>One quantile of an output's length.</summary>
    public static int Predict(this IOutputLengthPredictor predictor, in RequestShape shape, double quantile, int generated = 0)
    {
        Span<int> length = [0];
        predictor.Predict(shape, generated, [quantile], length);
        return length[0];
    }
}
