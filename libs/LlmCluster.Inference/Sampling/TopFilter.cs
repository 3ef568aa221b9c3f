using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Sampling;

/// <summary>
/// Keeps the likeliest tokens of a row, so many of them (top-k) or so much of their weight (top-p), without sorting:
/// a radix selection over the bits of the logits, which finds the last token that stays in at most three passes of
/// which only the first looks at the whole row.
/// </summary>
/// <remarks>Tokens are in order of logit, and of id where logits are equal, lowest first.</remarks>
internal sealed class TopFilter(int vocabSize)
{
    private const int Buckets = 4096;

    private readonly double[] _mass = new double[Buckets];
    private readonly int[] _candidates = new int[vocabSize];

    /// <summary>Sets the weights of all but the <paramref name="count"/> likeliest tokens to 0.</summary>
    public void KeepCount(ReadOnlySpan<float> logits, Span<float> weights, int count)
    {
        if (count < weights.Length)
        {
            Keep(logits, weights, count, byCount: true);
        }
    }

    /// <summary>Sets weights to 0 but for the fewest likeliest tokens that together weigh at least <paramref name="mass"/>.</summary>
    public void KeepMass(ReadOnlySpan<float> logits, Span<float> weights, double mass) =>
        Keep(logits, weights, mass, byCount: false);

    private void Keep(ReadOnlySpan<float> logits, Span<float> weights, double need, bool byCount)
    {
        // Bits 31-20 over the whole row.
        Array.Clear(_mass);
        for (int id = 0; id < weights.Length; id++)
        {
            if (weights[id] != 0)
            {
                _mass[Key(logits[id]) >> 20] += byCount ? 1 : weights[id];
            }
        }

        if (!FindBoundary(ref need, out uint boundary))
        {
            return;
        }

        int count = 0;
        for (int id = 0; id < weights.Length; id++)
        {
            uint bucket = Key(logits[id]) >> 20;
            if (bucket < boundary)
            {
                weights[id] = 0;
            }
            else if (bucket == boundary && weights[id] != 0)
            {
                _candidates[count++] = id;
            }
        }

        // Bits 19-8, then 7-0, over what is left of the bucket in which the boundary lies.
        count = Narrow(logits, weights, count, shift: 8, mask: 0xFFF, ref need, byCount);
        count = Narrow(logits, weights, count, shift: 0, mask: 0xFF, ref need, byCount);

        // Only equal logits are left, in order of id.
        for (int i = 0; i < count; i++)
        {
            int id = _candidates[i];
            double mass = byCount ? 1 : weights[id];
            if (need <= 0)
            {
                weights[id] = 0;
            }

            need -= mass;
        }
    }

    private int Narrow(
        ReadOnlySpan<float> logits, Span<float> weights, int count, int shift, uint mask, ref double need, bool byCount)
    {
        ReadOnlySpan<int> candidates = _candidates.AsSpan(0, count);
        Array.Clear(_mass);
        foreach (int id in candidates)
        {
            _mass[(Key(logits[id]) >> shift) & mask] += byCount ? 1 : weights[id];
        }

        if (!FindBoundary(ref need, out uint boundary))
        {
            return 0;
        }

        int kept = 0;
        foreach (int id in candidates)
        {
            uint bucket = (Key(logits[id]) >> shift) & mask;
            if (bucket < boundary)
            {
                weights[id] = 0;
            }
            else if (bucket == boundary)
            {
                _candidates[kept++] = id;
            }
        }

        return kept;
    }

    // The highest bucket that, with all above it, holds what is needed; what is needed of it is left in need.
    private bool FindBoundary(ref double need, out uint boundary)
    {
        for (int bucket = Buckets - 1; bucket >= 0; bucket--)
        {
            if (_mass[bucket] > 0 && _mass[bucket] >= need)
            {
                boundary = (uint)bucket;
                return true;
            }

            need -= _mass[bucket];
        }

        boundary = 0;
        return false;
    }

    // Bits in the order of the numbers; adding zero makes both zeros one.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Key(float logit)
    {
        uint bits = BitConverter.SingleToUInt32Bits(logit + 0f);
        return (bits & 0x80000000) != 0 ? ~bits : bits | 0x80000000;
    }
}
