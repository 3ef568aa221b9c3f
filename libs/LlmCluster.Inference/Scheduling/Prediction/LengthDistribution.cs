namespace LlmCluster.Inference.Scheduling.Prediction;

/// <summary>A distribution of lengths over <see cref="LengthBuckets"/>, even within each.</summary>
internal sealed class LengthDistribution
{
    // Median of lengths before any was seen.
    private const double Guess = 256;

    // Rounding must not move a quantile to the next length.
    private const double Tolerance = 1e-9;

    private readonly double[] _mass = new double[LengthBuckets.Count];
    private readonly double[] _after = new double[LengthBuckets.Count];

    /// <summary>Probability of a bucket.</summary>
    public double Mass(int bucket) => _mass[bucket];

    /// <summary>Probability of all buckets after that one.</summary>
    public double After(int bucket) => _after[bucket];

    /// <summary>
    /// What is thought of lengths before any was seen: log-logistic with a median of 256 tokens and shape 1, where a length is exceeded n-fold with a probability of about
    /// 1 / n (Bennett, "Log-Logistic Regression Models for Survival Data", 1983). Wide, since the very magnitude is unknown.
    /// </summary>
    public void SetPrior()
    {
        double after = 1;
        for (int i = 0; i < LengthBuckets.Count; i++)
        {
            double next = i == LengthBuckets.Count - 1 ? 0 : Guess / (Guess + LengthBuckets.Last(i));
            _mass[i] = after - next;
            _after[i] = after = next;
        }
    }

    /// <summary>Sets a bucket's probability, given that the length is not in those before it. To be called for each bucket in order.</summary>
    /// <param name="bucket">The bucket.</param>
    /// <param name="hazard">The conditional probability; taken as 1 for the last bucket.</param>
    public void SetHazard(int bucket, double hazard)
    {
        double from = bucket == 0 ? 1 : _after[bucket - 1];
        _mass[bucket] = bucket == LengthBuckets.Count - 1 ? from : from * Math.Clamp(hazard, 0, 1);
        _after[bucket] = bucket == LengthBuckets.Count - 1 ? 0 : from * (1 - Math.Clamp(hazard, 0, 1));
    }

    /// <summary>The least length that is exceeded with a probability of at most 1 - <paramref name="quantile"/>, given that the length is over <paramref name="generated"/>.</summary>
    public int Quantile(double quantile, int generated)
    {
        int shortest = Math.Clamp(generated, 0, LengthBuckets.Longest - 1) + 1;
        int bucket = LengthBuckets.Of(shortest);
        double left = _after[bucket] + (_mass[bucket] * (LengthBuckets.Last(bucket) - shortest + 1) / LengthBuckets.Width(bucket));
        double target = (1 - quantile) * left * (1 + Tolerance);
        while (_after[bucket] > target)
        {
            bucket++;
        }

        // Of the bucket's lengths, those that may stay beyond the quantile.
        double each = _mass[bucket] / LengthBuckets.Width(bucket);
        double beyond = each > 0 ? Math.Min((target - _after[bucket]) / each, LengthBuckets.Width(bucket)) : LengthBuckets.Width(bucket);
        return Math.Max(Math.Max(LengthBuckets.Last(bucket) - (int)beyond, LengthBuckets.First(bucket)), shortest);
    }
}
