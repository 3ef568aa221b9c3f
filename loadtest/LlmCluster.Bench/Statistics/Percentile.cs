namespace LlmCluster.Bench.Statistics;

/// <summary>Percentiles of samples.</summary>
internal static class Percentile
{
    /// <summary>The value in the middle, rounded to so many digits.</summary>
    public static double Median(IReadOnlyCollection<double> samples, int digits) => Math.Round(Of(samples, 0.5), digits);

    /// <summary>The value below which a share of the samples lies, between two samples in proportion.</summary>
    public static double Of(IReadOnlyCollection<double> samples, double share)
    {
        if (samples.Count == 0)
        {
            throw new InvalidOperationException("Nothing was measured.");
        }

        double[] sorted = [.. samples.Order()];
        double at = share * (sorted.Length - 1);
        int below = (int)at;
        int above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((at - below) * (sorted[above] - sorted[below]));
    }
}
