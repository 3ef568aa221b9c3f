using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>What happens to single rows between two products. Buffers are filled up with zeros to whole panels.</summary>
internal static unsafe class RowKernels<S, V>
    where S : struct, ISimd<V>
    where V : struct
{
    /// <summary>RMS norm: <c>y = x / sqrt(mean(x²) + eps) · weight</c>. Widths are whole panels, the mean is over <paramref name="count"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RmsNorm(float* x, float* weight, int count, float epsilon, float* y)
    {
        // Four sums, so that additions need not wait for one another; their order is fixed by the width alone.
        int width = Panel.RoundUp(count);
        V s0 = S.Splat(0f), s1 = s0, s2 = s0, s3 = s0;
        int i = 0;
        for (; i + (4 * S.Lanes) <= width; i += 4 * S.Lanes)
        {
            V v0 = S.Load(x + i);
            V v1 = S.Load(x + i + S.Lanes);
            V v2 = S.Load(x + i + (2 * S.Lanes));
            V v3 = S.Load(x + i + (3 * S.Lanes));
            s0 = S.MultiplyAdd(v0, v0, s0);
            s1 = S.MultiplyAdd(v1, v1, s1);
            s2 = S.MultiplyAdd(v2, v2, s2);
            s3 = S.MultiplyAdd(v3, v3, s3);
        }

        for (; i < width; i += S.Lanes)
        {
            V v0 = S.Load(x + i);
            s0 = S.MultiplyAdd(v0, v0, s0);
        }

        float sum = S.Sum(S.Add(S.Add(s0, s1), S.Add(s2, s3)));
        V scale = S.Splat(1f / MathF.Sqrt((sum / count) + epsilon));
        for (i = 0; i < width; i += S.Lanes)
        {
            S.Store(y + i, S.Multiply(S.Multiply(S.Load(x + i), scale), S.Load(weight + i)));
        }
    }

    /// <summary><c>y = silu(gate) · up</c> over whole panels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SiluGate(float* gate, float* up, int count, float* y)
    {
        int width = Panel.RoundUp(count);
        for (int i = 0; i < width; i += S.Lanes)
        {
            S.Store(y + i, S.Multiply(VectorMath<S, V>.Silu(S.Load(gate + i)), S.Load(up + i)));
        }
    }

    /// <summary>
    /// Turns one head by its position's angles: the pairs are elements i and i + half, as in Hugging Face's layout.
    /// The result is multiplied by <paramref name="scale"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rotate(float* head, float* cosine, float* sine, int half, float scale)
    {
        float* upper = head + half;
        V factor = S.Splat(scale);
        int i = 0;
        for (; i + S.Lanes <= half; i += S.Lanes)
        {
            V a = S.Load(head + i);
            V b = S.Load(upper + i);
            V c = S.Multiply(S.Load(cosine + i), factor);
            V s = S.Multiply(S.Load(sine + i), factor);
            S.Store(head + i, S.Subtract(S.Multiply(a, c), S.Multiply(b, s)));
            S.Store(upper + i, S.MultiplyAdd(b, c, S.Multiply(a, s)));
        }

        for (; i < half; i++)
        {
            float a = head[i];
            float b = upper[i];
            float c = cosine[i] * scale;
            float s = sine[i] * scale;
            head[i] = (a * c) - (b * s);
            upper[i] = (b * c) + (a * s);
        }
    }

    /// <summary>RMS norm of one head in place; any width, one element after the other.</summary>
    public static void RmsNormHead(float* head, float* weight, int count, float epsilon)
    {
        V sums = S.Splat(0f);
        int i = 0;
        for (; i + S.Lanes <= count; i += S.Lanes)
        {
            V v = S.Load(head + i);
            sums = S.MultiplyAdd(v, v, sums);
        }

        float sum = S.Sum(sums);
        for (; i < count; i++)
        {
            sum += head[i] * head[i];
        }

        float scale = 1f / MathF.Sqrt((sum / count) + epsilon);
        for (i = 0; i < count; i++)
        {
            head[i] = head[i] * scale * weight[i];
        }
    }
}
