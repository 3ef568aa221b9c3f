namespace LlmCluster.Inference.Scheduling.Prediction;

/// <summary>How many of the recent outputs were no longer than the quantiles that were predicted when they arrived. Well predicted, the shares are the quantiles.</summary>
/// <param name="Observed">Outputs that ended since the start.</param>
/// <param name="Median">The length in tokens that half of this model's outputs exceed, as of now.</param>
/// <param name="Coverage50">Share of the recent ones within their predicted median; null before the first.</param>
/// <param name="Coverage90">Share within the predicted 0.9 quantile.</param>
/// <param name="Coverage99">Share within the predicted 0.99 quantile.</param>
public sealed record OutputLengthStatus(long Observed, int Median, double? Coverage50, double? Coverage90, double? Coverage99);

/// <summary>Compares predictions with what came of them. Members may be called from any thread.</summary>
internal sealed class LengthCalibration
{
    // A recent output's share.
    private const double Newest = 1.0 / 500;

    private readonly double[] _covered = new double[Quantiles.Length];
    private readonly Lock _lock = new();
    private double _weight;
    private long _observed;

    /// <summary>The quantiles that are predicted on arrival.</summary>
    public static ReadOnlySpan<double> Quantiles => [0.5, 0.9, 0.99];

    /// <summary>Takes note of an output.</summary>
    /// <param name="predicted">What was predicted, for each of <see cref="Quantiles"/>.</param>
    /// <param name="tokens">Its length.</param>
    public void Add(ReadOnlySpan<int> predicted, int tokens)
    {
        LengthMetrics.Add(tokens);
        lock (_lock)
        {
            _observed++;
            _weight = (_weight * (1 - Newest)) + Newest;
            for (int i = 0; i < Quantiles.Length; i++)
            {
                bool covered = tokens <= predicted[i];
                _covered[i] = (_covered[i] * (1 - Newest)) + (covered ? Newest : 0);
                LengthMetrics.Add(Quantiles[i], covered);
            }
        }
    }

    /// <summary>The figures.</summary>
    /// <param name="median">Predicted median of all outputs.</param>
    public OutputLengthStatus Status(int median)
    {
        lock (_lock)
        {
            return new OutputLengthStatus(_observed, median, Share(0), Share(1), Share(2));
        }

        double? Share(int quantile) => _observed == 0 ? null : _covered[quantile] / _weight;
    }
}
