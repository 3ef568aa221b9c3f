using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace LlmCluster.Inference.Sampling;

/// <summary>
/// Keeps the likeliest tokens of a row, so many of them (top-k) or so much of their weight (top-p), without sorting.
/// A few vectorised passes find a floor above which there are enough; a radix selection over the bits of the logits
/// above it finds the last token that stays.
/// </summary>
/// <remarks>Tokens are in order of logit, and of id where logits are equal, lowest first.</remarks>
internal sealed class TopFilter(int vocabSize)
{
    private const int Buckets = 4096;
    private const int Lanes = 8;

    private readonly double[] _mass = new double[Buckets];
    private readonly int[] _candidates = new int[vocabSize];

    // How far below the largest logit, in units of temperature, to look for enough tokens: weights down to exp(-d).
    private static ReadOnlySpan<float> Depths => [2, 4, 7, 11, 16, 32];

    /// <summary>Sets the weights of all but the <paramref name="count"/> likeliest tokens to 0.</summary>
    /// <param name="logits">The row.</param>
    /// <param name="weights"><c>exp((logit - max) / temperature)</c> of each, or 0 where it is out already.</param>
    /// <param name="max">Largest logit.</param>
    /// <param name="temperature">Temperature of the weights.</param>
    /// <param name="count">Tokens to keep.</param>
    public void KeepCount(ReadOnlySpan<float> logits, Span<float> weights, float max, float temperature, int count)
    {
        if (count < weights.Length)
        {
            Keep(logits, weights, max, temperature, count, byCount: true);
        }
    }

    /// <summary>Sets weights to 0 but for the fewest likeliest tokens that together weigh at least <paramref name="mass"/>.</summary>
    /// <param name="logits">The row.</param>
    /// <param name="weights"><c>exp((logit - max) / temperature)</c> of each, or 0 where it is out already.</param>
    /// <param name="max">Largest logit.</param>
    /// <param name="temperature">Temperature of the weights.</param>
    /// <param name="mass">Weight to keep.</param>
    public void KeepMass(ReadOnlySpan<float> logits, Span<float> weights, float max, float temperature, double mass) =>
        Keep(logits, weights, max, temperature, mass, byCount: false);

    private void Keep(ReadOnlySpan<float> logits, Span<float> weights, float max, float temperature, double need, bool byCount)
    {
        float floor = float.NegativeInfinity;
        foreach (float depth in Depths)
        {
            float candidate = max - (depth * temperature);
            if (MassAbove(logits, weights, candidate, byCount) >= need)
            {
                floor = candidate;
                break;
            }
        }

        // All with equal bits 31-20, 19-8 and 7-0 to those of the last one that stays.
        int count = Gather(logits, weights, floor);
        count = Narrow(logits, weights, count, shift: 20, ref need, byCount);
        count = Narrow(logits, weights, count, shift: 8, ref need, byCount);
        count = Narrow(logits, weights, count, shift: 0, ref need, byCount);

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

    private static double MassAbove(ReadOnlySpan<float> logits, ReadOnlySpan<float> weights, float floor, bool byCount)
    {
        ReadOnlySpan<Vector256<float>> rows = MemoryMarshal.Cast<float, Vector256<float>>(logits);
        ReadOnlySpan<Vector256<float>> values = MemoryMarshal.Cast<float, Vector256<float>>(weights);
        Vector256<float> floors = Vector256.Create(floor);
        Vector256<double> low = Vector256<double>.Zero;
        Vector256<double> high = Vector256<double>.Zero;
        for (int i = 0; i < rows.Length; i++)
        {
            Vector256<float> value = byCount ? Vector256<float>.One : values[i];
            value &= Vector256.GreaterThanOrEqual(rows[i], floors);
            low += Vector256.WidenLower(value);
            high += Vector256.WidenUpper(value);
        }

        Vector256<double> both = low + high;
        double sum = (both[0] + both[1]) + (both[2] + both[3]);
        for (int id = rows.Length * Lanes; id < logits.Length; id++)
        {
            sum += logits[id] < floor ? 0 : byCount ? 1 : weights[id];
        }

        return sum;
    }

    // Makes candidates of the tokens above the floor that are still in, in order of id, and puts the others out.
    private int Gather(ReadOnlySpan<float> logits, Span<float> weights, float floor)
    {
        ReadOnlySpan<Vector256<float>> rows = MemoryMarshal.Cast<float, Vector256<float>>(logits);
        Span<Vector256<float>> values = MemoryMarshal.Cast<float, Vector256<float>>(weights);
        Vector256<float> floors = Vector256.Create(floor);
        int count = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            Vector256<float> value = values[i] & Vector256.GreaterThanOrEqual(rows[i], floors);
            values[i] = value;
            for (uint bits = ~Vector256.Equals(value, Vector256<float>.Zero).ExtractMostSignificantBits() & 0xFF;
                bits != 0;
                bits &= bits - 1)
            {
                _candidates[count++] = (i * Lanes) + BitOperations.TrailingZeroCount(bits);
            }
        }

        for (int id = rows.Length * Lanes; id < logits.Length; id++)
        {
            if (logits[id] < floor)
            {
                weights[id] = 0;
            }
            else if (weights[id] != 0)
            {
                _candidates[count++] = id;
            }
        }

        return count;
    }

    // Keeps, of the candidates, those whose 12 bits from the shift on are the boundary's; those above stay in for good,
    // those below go out. What is needed of the rest is left in need.
    private int Narrow(ReadOnlySpan<float> logits, Span<float> weights, int count, int shift, ref double need, bool byCount)
    {
        ReadOnlySpan<int> candidates = _candidates.AsSpan(0, count);
        Array.Clear(_mass);
        foreach (int id in candidates)
        {
            _mass[(Key(logits[id]) >> shift) % Buckets] += byCount ? 1 : weights[id];
        }

        int boundary = Buckets - 1;
        while (boundary >= 0 && (_mass[boundary] == 0 || _mass[boundary] < need))
        {
            need -= _mass[boundary--];
        }

        int kept = 0;
        foreach (int id in candidates)
        {
            int bucket = (int)((Key(logits[id]) >> shift) % Buckets);
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

    // Bits in the order of the numbers; adding zero makes both zeros one.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Key(float logit)
    {
        uint bits = BitConverter.SingleToUInt32Bits(logit + 0f);
        return (bits & 0x80000000) != 0 ? ~bits : bits | 0x80000000;
    }
}
