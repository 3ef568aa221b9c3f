using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>Functions on vectors, lane by lane.</summary>
internal static class VectorMath<S, V>
    where S : struct, ISimd<V>
    where V : struct
{
    /// <summary>
    /// e^x within 2 units in the last place, for x clamped to [-87, 88]: e^x = 2^n · e^r with n = round(x / ln 2), and e^r by
    /// its Taylor polynomial of degree 7, whose remainder for |r| ≤ ln 2 / 2 is below 6·10⁻⁹.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp(V x)
    {
        x = S.Min(S.Max(x, S.Splat(-87f)), S.Splat(88f));
        V n = S.Round(S.Multiply(x, S.Splat(1.44269504f)));

        // ln 2 in two parts: n times the first is exact.
        V r = S.MultiplyAdd(n, S.Splat(-0.693359375f), x);
        r = S.MultiplyAdd(n, S.Splat(2.12194440e-4f), r);
        V p = S.Splat(1f / 5040);
        p = S.MultiplyAdd(p, r, S.Splat(1f / 720));
        p = S.MultiplyAdd(p, r, S.Splat(1f / 120));
        p = S.MultiplyAdd(p, r, S.Splat(1f / 24));
        p = S.MultiplyAdd(p, r, S.Splat(1f / 6));
        p = S.MultiplyAdd(p, r, S.Splat(0.5f));
        p = S.MultiplyAdd(p, r, S.Splat(1f));
        p = S.MultiplyAdd(p, r, S.Splat(1f));
        return S.ScaleByPowerOfTwo(p, n);
    }

    /// <summary>e^x, and exactly zero for x below -87, minus infinity included.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V ExpOrZero(V x) => S.ZeroBelow(Exp(x), x, S.Splat(-87f));

    /// <summary>x · sigmoid(x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Silu(V x) => S.Divide(x, S.Add(S.Splat(1f), Exp(S.Subtract(S.Splat(0f), x))));
}
