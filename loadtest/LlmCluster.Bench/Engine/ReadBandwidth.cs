using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Threading;

namespace LlmCluster.Bench.Engine;

/// <summary>
/// How fast the threads together read memory in order: they sum a buffer several times as large as the caches, each thread four
/// streams at a time, asking for lines ahead.
/// </summary>
internal sealed unsafe class ReadBandwidth : IParallelWork, IDisposable
{
    private const long Bytes = 256 << 20;
    private const int PieceBytes = 1 << 20;
    private const int Streams = 4;
    private const int Ahead = 1024;

    private readonly NativeBuffer _buffer = new(Bytes);
    private readonly ThreadTeam _team;
    private readonly ulong[] _sums;

    public ReadBandwidth(ThreadTeam team)
    {
        _team = team;
        _sums = new ulong[team.Threads * 16];

        // Untouched pages would all be the same one.
        new Span<byte>(_buffer.Pointer, (int)Bytes).Fill(1);
    }

    /// <summary>Reads all once.</summary>
    /// <returns>10⁹ bytes per second.</returns>
    public double Measure()
    {
        long began = Stopwatch.GetTimestamp();
        _team.Run(this, (int)(Bytes / PieceBytes), 1);
        return Bytes / Stopwatch.GetElapsedTime(began).TotalSeconds / 1e9;
    }

    public void Run(int first, int end, int thread)
    {
        for (int i = first; i < end; i++)
        {
            _sums[thread * 16] += Sum(_buffer.Pointer + ((long)i * PieceBytes));
        }
    }

    public void Dispose() => _buffer.Dispose();

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static ulong Sum(byte* piece)
    {
        const int stream = PieceBytes / Streams;
        Vector512<ulong> a = default, b = default, c = default, d = default;
        for (nint at = 0; at < stream; at += Vector512<byte>.Count)
        {
            byte* p = piece + at;
            if (Sse.IsSupported)
            {
                Sse.Prefetch0(p + Ahead);
                Sse.Prefetch0(p + stream + Ahead);
                Sse.Prefetch0(p + (2 * stream) + Ahead);
                Sse.Prefetch0(p + (3 * stream) + Ahead);
            }

            a += Vector512.Load((ulong*)p);
            b += Vector512.Load((ulong*)(p + stream));
            c += Vector512.Load((ulong*)(p + (2 * stream)));
            d += Vector512.Load((ulong*)(p + (3 * stream)));
        }

        return Vector512.Sum(a + b + c + d);
    }
}
