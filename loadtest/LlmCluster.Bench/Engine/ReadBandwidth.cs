using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Threading;

namespace LlmCluster.Bench.Engine;

/// <summary>
/// How fast the threads together read memory in order: they sum a buffer several times as large as the caches, each thread four
/// streams at a time. Whether they ask for lines ahead is chosen by which is faster here.
/// </summary>
internal sealed unsafe class ReadBandwidth : IParallelWork, IDisposable
{
    /// <summary>Bytes that are read each time.</summary>
    public const long Bytes = 256 << 20;

    private const int PieceBytes = 1 << 20;
    private const int Streams = 4;
    private const int Ahead = 1024;
    private const int Trials = 5;

    private readonly NativeBuffer _buffer = new(Bytes);
    private readonly ThreadTeam _team;
    private readonly ulong[] _sums;
    private bool _asks;

    public ReadBandwidth(ThreadTeam team)
    {
        _team = team;
        _sums = new ulong[team.Threads * 16];

        // Untouched pages would all be the same one.
        new Span<byte>(_buffer.Pointer, (int)Bytes).Fill(1);
        Choose();
    }

    /// <summary>Reads all once.</summary>
    /// <returns>Seconds.</returns>
    public double Read()
    {
        long began = Stopwatch.GetTimestamp();
        _team.Run(this, (int)(Bytes / PieceBytes), 1);
        return Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    public void Run(int first, int end, int thread)
    {
        for (int i = first; i < end; i++)
        {
            byte* piece = _buffer.Pointer + ((long)i * PieceBytes);
            _sums[thread * 16] += _asks ? Sum<AskingAhead>(piece) : Sum<InOrder>(piece);
        }
    }

    public void Dispose() => _buffer.Dispose();

    // In turn, since what a shared machine can do changes.
    private void Choose()
    {
        var asking = new double[Trials];
        var inOrder = new double[Trials];
        for (int i = 0; i < Trials; i++)
        {
            _asks = true;
            asking[i] = Read();
            _asks = false;
            inOrder[i] = Read();
        }

        Array.Sort(asking);
        Array.Sort(inOrder);
        _asks = asking[Trials / 2] < inOrder[Trials / 2];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static ulong Sum<A>(byte* piece)
        where A : struct, IAsking
    {
        const int stream = PieceBytes / Streams;
        Vector512<ulong> a = default, b = default, c = default, d = default;
        for (nint at = 0; at < stream; at += Vector512<byte>.Count)
        {
            byte* p = piece + at;
            if (A.Asks && Sse.IsSupported)
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

    private interface IAsking
    {
        static abstract bool Asks { get; }
    }

    private readonly struct AskingAhead : IAsking
    {
        public static bool Asks => true;
    }

    private readonly struct InOrder : IAsking
    {
        public static bool Asks => false;
    }
}
