using LlmCluster.Inference.Engine;

namespace LlmCluster.Inference.Sampling;

/// <summary>Log probabilities of one row of raw logits.</summary>
internal static class Logprobs
{
    /// <summary>Logarithm of the sum that makes a softmax of the row: <c>max + ln Σ exp(logit - max)</c>.</summary>
    /// <param name="logits">The row.</param>
    /// <param name="max">Its largest number.</param>
    /// <param name="weights">Scratch as long as the row.</param>
    /// <param name="sums">Scratch, a number for each chunk of the row.</param>
    public static double LogSum(ReadOnlySpan<float> logits, float max, Span<float> weights, Span<double> sums)
    {
        LogitMath.Exponentials(logits, max, 1, weights);
        return max + Math.Log(LogitMath.ChunkSums(weights, sums));
    }

    /// <summary>The likeliest tokens, likeliest first; of equally likely ones the lowest id first.</summary>
    public static TokenLogprob[] Top(ReadOnlySpan<float> logits, int count, double logSum)
    {
        count = Math.Min(count, logits.Length);
        if (count == 0)
        {
            return [];
        }

        // Sorted by insertion: few are asked for, and after the first tokens hardly any gets in.
        var ids = new int[count];
        int filled = 0;
        float last = float.NegativeInfinity;
        for (int id = 0; id < logits.Length; id++)
        {
            float logit = logits[id];
            if (filled == count && logit <= last)
            {
                continue;
            }

            int at = filled < count ? filled++ : count - 1;
            while (at > 0 && logits[ids[at - 1]] < logit)
            {
                ids[at] = ids[at - 1];
                at--;
            }

            ids[at] = id;
            last = logits[ids[filled - 1]];
        }

        var top = new TokenLogprob[count];
        for (int i = 0; i < count; i++)
        {
            top[i] = new TokenLogprob(ids[i], (float)(logits[ids[i]] - logSum));
        }

        return top;
    }
}
