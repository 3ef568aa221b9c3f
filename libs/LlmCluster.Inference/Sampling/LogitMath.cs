using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace LlmCluster.Inference.Sampling;

/// <summary>
/// Arithmetic over a row of logits, eight numbers at a time and in one fixed order. It uses no fused or approximate
/// instruction, so that its results are the same bits on every processor.
/// </summary>
internal static class LogitMath
{
    /// <summary>Numbers whose sum is kept for itself, so that a draw need not walk the whole row.</summary>
    public const int ChunkSize = 256;

    private const int Lanes = 8;

    /// <summary>The largest logit; NaN when one of them is NaN.</summary>
    public static float Max(ReadOnlySpan<float> logits)
    {
        ReadOnlySpan<Vector256<float>> vectors = MemoryMarshal.Cast<float, Vector256<float>>(logits);
        Vector256<float> maxima = Vector256.Create(float.NegativeInfinity);
        foreach (ref readonly Vector256<float> vector in vectors)
        {
            maxima = Vector256.Max(maxima, vector);
        }

        float max = float.NegativeInfinity;
        for (int lane = 0; lane < Lanes; lane++)
        {
            max = MathF.Max(max, maxima[lane]);
        }

        foreach (float logit in logits[(vectors.Length * Lanes)..])
        {
            max = MathF.Max(max, logit);
        }

        return max;
    }

    /// <summary><c>weights[i] = exp((logits[i] - max) / temperature)</c>; 0 where that is below the smallest normal number.</summary>
    public static void Exponentials(ReadOnlySpan<float> logits, float max, float temperature, Span<float> weights)
    {
        Vector256<float> maxima = Vector256.Create(max);
        Vector256<float> divisors = Vector256.Create(temperature);
        ReadOnlySpan<Vector256<float>> sources = MemoryMarshal.Cast<float, Vector256<float>>(logits);
        Span<Vector256<float>> targets = MemoryMarshal.Cast<float, Vector256<float>>(weights[..logits.Length]);
        for (int i = 0; i < sources.Length; i++)
        {
            targets[i] = Exp((sources[i] - maxima) / divisors);
        }

        int done = sources.Length * Lanes;
        if (done < logits.Length)
        {
            Span<float> tail = stackalloc float[Lanes];
            tail.Fill(float.NegativeInfinity);
            logits[done..].CopyTo(tail);
            Vector256<float> last = Exp((Vector256.Create<float>(tail) - maxima) / divisors);
            for (int i = done; i < logits.Length; i++)
            {
                weights[i] = last[i - done];
            }
        }
    }

    /// <summary>Sums of each <see cref="ChunkSize"/> numbers.</summary>
    /// <returns>The sum of all.</returns>
    public static double ChunkSums(ReadOnlySpan<float> weights, Span<double> sums)
    {
        double total = 0;
        for (int chunk = 0; chunk * ChunkSize < weights.Length; chunk++)
        {
            int start = chunk * ChunkSize;
            double sum = Sum(weights.Slice(start, Math.Min(ChunkSize, weights.Length - start)));
            sums[chunk] = sum;
            total += sum;
        }

        return total;
    }

    private static double Sum(ReadOnlySpan<float> values)
    {
        Vector256<double> low = Vector256<double>.Zero;
        Vector256<double> high = Vector256<double>.Zero;
        ReadOnlySpan<Vector256<float>> vectors = MemoryMarshal.Cast<float, Vector256<float>>(values);
        foreach (ref readonly Vector256<float> vector in vectors)
        {
            low += Vector256.WidenLower(vector);
            high += Vector256.WidenUpper(vector);
        }

        Vector256<double> both = low + high;
        double sum = (both[0] + both[1]) + (both[2] + both[3]);
        foreach (float value in values[(vectors.Length * Lanes)..])
        {
            sum += value;
        }

        return sum;
    }

    // exp(x) = 2^n · exp(r) with |r| <= ln(2) / 2, and exp(r) by the minimax polynomial of the Cephes library
    // (Moshier); relative error below 2e-7. For x <= 0.
    private static Vector256<float> Exp(Vector256<float> x)
    {
        const float Smallest = -87.33654f;
        Vector256<float> vanishes = Vector256.LessThan(x, Vector256.Create(Smallest));
        x = Vector256.Max(x, Vector256.Create(Smallest));

        Vector256<float> n = Vector256.Floor((x * 1.44269504088896341f) + Vector256.Create(0.5f));
        Vector256<float> r = x - (n * 0.693359375f) - (n * -2.12194440e-4f);
        Vector256<float> p = Vector256.Create(1.9875691500e-4f);
        p = (p * r) + Vector256.Create(1.3981999507e-3f);
        p = (p * r) + Vector256.Create(8.3334519073e-3f);
        p = (p * r) + Vector256.Create(4.1665795894e-2f);
        p = (p * r) + Vector256.Create(1.6666665459e-1f);
        p = (p * r) + Vector256.Create(5.0000001201e-1f);
        p = (p * (r * r)) + r + Vector256<float>.One;

        Vector256<int> scale = Vector256.ShiftLeft(Vector256.ConvertToInt32(n) + Vector256.Create(127), 23);
        return Vector256.AndNot(p * scale.AsSingle(), vanishes);
    }
}
