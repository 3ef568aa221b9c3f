using LlmCluster.Inference.Sampling;

namespace LlmCluster.Tests.Unit.Sampling;

/// <summary>The filters written down plainly, by sorting the whole vocabulary, in double precision.</summary>
internal static class ReferenceSampler
{
    /// <summary>Probability of every token.</summary>
    public static double[] Probabilities(float[] logits, SamplingOptions options)
    {
        int[] order = [.. Enumerable.Range(0, logits.Length).OrderByDescending(i => logits[i]).ThenBy(i => i)];
        double max = logits[order[0]];
        double[] weights = [.. order.Select(i => Math.Exp((logits[i] - max) / options.Temperature))];
        int kept = options.TopK > 0 ? Math.Min(options.TopK, order.Length) : order.Length;
        double total = weights[..kept].Sum();
        if (options.TopP < 1)
        {
            double sum = 0;
            int count = 0;
            while (count < kept && sum < options.TopP * total)
            {
                sum += weights[count++];
            }

            kept = count;
        }

        kept = Math.Min(kept, weights.TakeWhile(w => w >= options.MinP).Count());
        total = weights[..kept].Sum();
        var probabilities = new double[logits.Length];
        for (int i = 0; i < kept; i++)
        {
            probabilities[order[i]] = weights[i] / total;
        }

        return probabilities;
    }

    /// <summary>The token at which the running sum of probabilities, in order of id, passes the mark.</summary>
    public static int Draw(double[] probabilities, double mark)
    {
        double sum = 0;
        for (int id = 0; id < probabilities.Length; id++)
        {
            sum += probabilities[id];
            if (sum > mark)
            {
                return id;
            }
        }

        return Array.FindLastIndex(probabilities, p => p > 0);
    }
}
