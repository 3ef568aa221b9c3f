namespace LlmCluster.Bench.Lengths;

/// <summary>Adds up <see cref="LengthFigures"/>.</summary>
internal sealed class LengthTally
{
    private readonly int[] _covered = new int[Quantiles.Length];
    private int _outputs;
    private double _own;
    private double _mean;
    private double _global;

    /// <summary>The quantiles that are predicted.</summary>
    public static ReadOnlySpan<double> Quantiles => [0.1, 0.5, 0.9, 0.99];

    /// <summary>The figures.</summary>
    /// <exception cref="InvalidOperationException">No output was added.</exception>
    public LengthFigures Figures => _outputs == 0
        ? throw new InvalidOperationException("The trace has no output that could be predicted: none ends before the last one begins.")
        : new LengthFigures
        {
            Outputs = _outputs,
            Coverage10 = Share(0),
            Coverage50 = Share(1),
            Coverage90 = Share(2),
            Coverage99 = Share(3),
            Pinball = Loss(_own),
            PinballMean = Loss(_mean),
            PinballGlobal = Loss(_global),
        };

    /// <summary>Whether any output was added.</summary>
    public bool IsEmpty => _outputs == 0;

    /// <summary>Adds an output.</summary>
    /// <param name="tokens">Its length.</param>
    /// <param name="own">The predictor's quantiles.</param>
    /// <param name="mean">The mean.</param>
    /// <param name="global">The quantiles of one histogram.</param>
    public void Add(int tokens, ReadOnlySpan<int> own, double mean, ReadOnlySpan<int> global)
    {
        _outputs++;
        for (int i = 0; i < Quantiles.Length; i++)
        {
            _covered[i] += tokens <= own[i] ? 1 : 0;
            _own += Pinball(Quantiles[i], tokens, own[i]);
            _mean += Pinball(Quantiles[i], tokens, mean);
            _global += Pinball(Quantiles[i], tokens, global[i]);
        }
    }

    private static double Pinball(double quantile, int tokens, double predicted) =>
        Math.Max(quantile * (tokens - predicted), (quantile - 1) * (tokens - predicted));

    private double Share(int quantile) => Math.Round((double)_covered[quantile] / _outputs, 4);

    private double Loss(double sum) => Math.Round(sum / _outputs / Quantiles.Length, 3);
}
