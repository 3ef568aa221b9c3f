using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Kernels;
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
    private const int RoundsPerJump = 4;
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
                CpuIsa.Avx512 => Chain<Avx512Simd, Vector512<float>>(0.5f),
                CpuIsa.Avx2 => Chain<Avx2Simd, Vector256<float>>(0.5f),
                _ => Chain<PortableSimd, Vector128<float>>(0.5f),
            };
        }
    }

    private int Lanes => isa switch
    {
        CpuIsa.Avx512 => Vector512<float>.Count,
        CpuIsa.Avx2 => Vector256<float>.Count,
        _ => Vector128<float>.Count,
    };

    // Several rounds between two jumps: where a jump lies in the code may cost as much as a round.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Chain<S, V>(float start)
        where S : struct, ISimd<V>
        where V : struct
    {
        V x = S.Splat(start);
        V a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (int step = 0; step < Steps; step += RoundsPerJump)
        {
            Step<S, V>(x, ref a, ref b, ref c, ref d, ref e, ref f, ref g, ref h, ref i, ref j, ref k, ref l);
            Step<S, V>(x, ref a, ref b, ref c, ref d, ref e, ref f, ref g, ref h, ref i, ref j, ref k, ref l);
            Step<S, V>(x, ref a, ref b, ref c, ref d, ref e, ref f, ref g, ref h, ref i, ref j, ref k, ref l);
            Step<S, V>(x, ref a, ref b, ref c, ref d, ref e, ref f, ref g, ref h, ref i, ref j, ref k, ref l);
        }

        a = S.Add(S.Add(S.Add(a, b), S.Add(c, d)), S.Add(S.Add(e, f), S.Add(g, h)));
        return S.Sum(S.Add(a, S.Add(S.Add(i, j), S.Add(k, l))));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<S, V>(V x, ref V a, ref V b, ref V c, ref V d, ref V e, ref V f, ref V g, ref V h, ref V i, ref V j, ref V k, ref V l)
        where S : struct, ISimd<V>
        where V : struct
    {
        a = S.MultiplyAdd(a, x, x);
        b = S.MultiplyAdd(b, x, x);
        c = S.MultiplyAdd(c, x, x);
        d = S.MultiplyAdd(d, x, x);
        e = S.MultiplyAdd(e, x, x);
        f = S.MultiplyAdd(f, x, x);
        g = S.MultiplyAdd(g, x, x);
        h = S.MultiplyAdd(h, x, x);
        i = S.MultiplyAdd(i, x, x);
        j = S.MultiplyAdd(j, x, x);
        k = S.MultiplyAdd(k, x, x);
        l = S.MultiplyAdd(l, x, x);
    }
}
