using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Threading;

namespace LlmCluster.Bench.Engine;

/// <summary>
/// The most multiply-adds that the threads get through: twelve independent chains of each thread on registers alone, with the
/// vectors of an instruction set.
/// </summary>
internal sealed class FmaPeak(CpuIsa isa, ThreadTeam team) : IParallelWork
{
    private const int Chains = 12;
    private const int Steps = 1 << 16;
    private const int PiecesPerThread = 8;

    private readonly float[] _sums = new float[team.Threads * 32];

    /// <summary>Operations of one run, a multiply-add being two.</summary>
    public double Operations => 2.0 * Lanes * Chains * Steps * Pieces;

    private int Pieces => team.Threads * PiecesPerThread;

    /// <summary>Runs once, for a millisecond or two.</summary>
    public void Run() => team.Run(this, Pieces, 1);

    public void Run(int first, int end, int thread)
    {
        for (int i = first; i < end; i++)
        {
            // Kept, so that the sums have to be computed.
            _sums[thread * 32] += isa switch
            {
                CpuIsa.Avx512 => Wide(0.5f),
                CpuIsa.Avx2 => Middle(0.5f),
                _ => Narrow(0.5f),
            };
        }
    }

    private int Lanes => isa switch
    {
        CpuIsa.Avx512 => Vector512<float>.Count,
        CpuIsa.Avx2 => Vector256<float>.Count,
        _ => Vector128<float>.Count,
    };

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Wide(float start)
    {
        Vector512<float> x = Vector512.Create(start);
        Vector512<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (int step = 0; step < Steps; step++)
        {
            a = Vector512.FusedMultiplyAdd(a, x, x);
            b = Vector512.FusedMultiplyAdd(b, x, x);
            c = Vector512.FusedMultiplyAdd(c, x, x);
            d = Vector512.FusedMultiplyAdd(d, x, x);
            e = Vector512.FusedMultiplyAdd(e, x, x);
            f = Vector512.FusedMultiplyAdd(f, x, x);
            g = Vector512.FusedMultiplyAdd(g, x, x);
            h = Vector512.FusedMultiplyAdd(h, x, x);
            i = Vector512.FusedMultiplyAdd(i, x, x);
            j = Vector512.FusedMultiplyAdd(j, x, x);
            k = Vector512.FusedMultiplyAdd(k, x, x);
            l = Vector512.FusedMultiplyAdd(l, x, x);
        }

        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Middle(float start)
    {
        Vector256<float> x = Vector256.Create(start);
        Vector256<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (int step = 0; step < Steps; step++)
        {
            a = Vector256.FusedMultiplyAdd(a, x, x);
            b = Vector256.FusedMultiplyAdd(b, x, x);
            c = Vector256.FusedMultiplyAdd(c, x, x);
            d = Vector256.FusedMultiplyAdd(d, x, x);
            e = Vector256.FusedMultiplyAdd(e, x, x);
            f = Vector256.FusedMultiplyAdd(f, x, x);
            g = Vector256.FusedMultiplyAdd(g, x, x);
            h = Vector256.FusedMultiplyAdd(h, x, x);
            i = Vector256.FusedMultiplyAdd(i, x, x);
            j = Vector256.FusedMultiplyAdd(j, x, x);
            k = Vector256.FusedMultiplyAdd(k, x, x);
            l = Vector256.FusedMultiplyAdd(l, x, x);
        }

        return Vector256.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    // A multiplication and an addition, as the portable kernels compute.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Narrow(float start)
    {
        Vector128<float> x = Vector128.Create(start);
        Vector128<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (int step = 0; step < Steps; step++)
        {
            a = (a * x) + x;
            b = (b * x) + x;
            c = (c * x) + x;
            d = (d * x) + x;
            e = (e * x) + x;
            f = (f * x) + x;
            g = (g * x) + x;
            h = (h * x) + x;
            i = (i * x) + x;
            j = (j * x) + x;
            k = (k * x) + x;
            l = (l * x) + x;
        }

        return Vector128.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }
}
