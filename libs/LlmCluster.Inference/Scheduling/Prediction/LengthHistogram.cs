namespace LlmCluster.Inference.Scheduling.Prediction;

/// <summary>
/// Lengths that were seen, the older ones weighing less. What was cut short is kept apart: it stands for outputs that would have become longer, in the
/// proportions of those that did (Kaplan and Meier, "Nonparametric Estimation from Incomplete Observations", 1958).
/// </summary>
/// <param name="window">How many observations weigh about as much as they all; each halves after 0.7 times as many more.</param>
internal sealed class LengthHistogram(double window)
{
    private const double LargestWeight = 1e6;

    private readonly float[] _ended = new float[LengthBuckets.Count];
    private readonly float[] _cut = new float[LengthBuckets.Count];

    // The share of their last bucket that those which were cut had lived through: the bucket's chance to end them.
    private readonly float[] _exposed = new float[LengthBuckets.Count];
    private readonly double _growth = window / (window - 1);

    // Of the newest observation. It grows, instead of all others becoming less.
    private double _weight = 1;

    /// <summary>Adds an output.</summary>
    public void Add(int tokens, bool ended)
    {
        _weight *= _growth;
        if (_weight > LargestWeight)
        {
            Rescale((float)(1 / _weight));
            _weight = 1;
        }

        int bucket = LengthBuckets.Of(tokens);
        if (ended)
        {
            _ended[bucket] += (float)_weight;
            return;
        }

        int lived = Math.Min(tokens, LengthBuckets.Longest) - LengthBuckets.First(bucket) + 1;
        _cut[bucket] += (float)_weight;
        _exposed[bucket] += (float)_weight * lived / LengthBuckets.Width(bucket);
    }

    /// <summary>
    /// Turns what is thought so far into what is thought after these observations. That is the posterior mean under a Dirichlet process whose base is the former, with
    /// right-censored data (Susarla and Van Ryzin, "Nonparametric Bayesian Estimation of Survival Curves from Incomplete Observations", 1976). With
    /// none cut short it is the mixture in proportion to <paramref name="strength"/> and the weight of the observations: hierarchical Dirichlet
    /// smoothing, where it is done from the general to the specific (MacKay and Peto, "A Hierarchical Dirichlet Language Model", 1995).
    /// </summary>
    /// <param name="distribution">What is thought.</param>
    /// <param name="strength">How many observations that is worth.</param>
    public void Refine(LengthDistribution distribution, double strength)
    {
        double scale = 1 / _weight;
        double later = 0;
        for (int i = 0; i < LengthBuckets.Count; i++)
        {
            later += _ended[i] + _cut[i];
        }

        double priorFrom = 1;
        for (int i = 0; i < LengthBuckets.Count; i++)
        {
            double priorMass = distribution.Mass(i);
            later -= _ended[i] + _cut[i];
            double atRisk = (_ended[i] + _exposed[i] + Math.Max(later, 0)) * scale;
            double known = (strength * priorFrom) + atRisk;
            priorFrom = distribution.After(i);
            distribution.SetHazard(i, known > 0 ? ((strength * priorMass) + (_ended[i] * scale)) / known : 1);
        }
    }

    private void Rescale(float factor)
    {
        for (int i = 0; i < LengthBuckets.Count; i++)
        {
            _ended[i] *= factor;
            _cut[i] *= factor;
            _exposed[i] *= factor;
        }
    }
}
