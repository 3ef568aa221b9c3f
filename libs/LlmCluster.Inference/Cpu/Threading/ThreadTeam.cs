using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace LlmCluster.Inference.Cpu.Threading;

/// <summary>
/// Threads that persist between the many short parallel sections of a forward pass. The caller works, too, and waits
/// only for threads that have joined a section, so that one that the system does not schedule delays nobody. Idle
/// threads spin for a moment, then yield, then sleep until there is work.
/// </summary>
internal sealed class ThreadTeam : IDisposable
{
    // The state of a section in one word: its number, whether it may be joined, and how many threads are in it.
    private const long ActiveMask = 0xFFFF;
    private const long Open = 0x10000;
    private const int EpochShift = 17;

    /// <summary>Pieces into which a thread divides what is left of its share, unless it is told otherwise; see <see cref="ItemShares"/>.</summary>
    public const int PiecesPerShare = 4;

    private static readonly long SpinTicks = Stopwatch.Frequency / 20_000;
    private static readonly long YieldTicks = Stopwatch.Frequency / 3_000;

    private readonly Thread[] _workers;
    private readonly object _parking = new();
    private readonly ItemShares _shares;
    private PaddedLong _state;
    private int _parked;
    private volatile bool _stopping;
    private long _epoch;
    private IParallelWork? _work;
    private ExceptionDispatchInfo? _failure;
    private readonly byte[][]? _masks;
    private readonly byte[] _callersMask = [];

    /// <summary>Starts a team.</summary>
    /// <param name="threads">Threads that work, the caller counted.</param>
    /// <param name="processors">One for each thread, to which it is tied, the caller's first; none: the system chooses.</param>
    public ThreadTeam(int threads, IReadOnlyList<int>? processors = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(threads);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threads, (int)ActiveMask);
        if (processors is not null)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(processors.Count, threads, nameof(processors));
            _masks = [.. processors.Take(threads).Select(ProcessorAffinity.MaskOf)];
            _callersMask = new byte[ProcessorAffinity.MaskBytes];
        }

        _shares = new ItemShares(threads);
        _workers = new Thread[threads - 1];
        for (int i = 0; i < _workers.Length; i++)
        {
            int index = i + 1;
            _workers[i] = new Thread(() => Work(index)) { IsBackground = true, Name = $"llmcluster-cpu-{index}" };
            _workers[i].Start();
        }
    }

    /// <summary>Threads that work, the caller counted.</summary>
    public int Threads => _workers.Length + 1;

    /// <summary>Threads that sleep until there is work.</summary>
    internal int Sleeping => Volatile.Read(ref _parked);

    /// <summary>
    /// Ties the calling thread to its processor, where it has one, until what is returned is disposed of by the same thread. Only one thread
    /// at a time may call this.
    /// </summary>
    public CallerScope PinCaller()
    {
        if (_masks is null || !ProcessorAffinity.TryRead(_callersMask))
        {
            return default;
        }

        ProcessorAffinity.TryWrite(_masks[0]);
        return new CallerScope(_callersMask);
    }

    /// <summary>
    /// Does all items and returns when they are done. Only one thread at a time may call this. What the work throws is
    /// thrown here, after every thread has left the work.
    /// </summary>
    /// <param name="work">The work.</param>
    /// <param name="items">Number of items.</param>
    /// <param name="grain">Fewest items that a thread takes at a time; it takes multiples of that.</param>
    /// <param name="piecesPerShare">Into how many pieces a thread divides what is left of its share; fewer are longer.</param>
    public void Run(IParallelWork work, int items, int grain, int piecesPerShare = PiecesPerShare)
    {
        ObjectDisposedException.ThrowIf(_stopping, this);
        if (items <= grain || _workers.Length == 0)
        {
            if (items > 0)
            {
                work.Run(0, items, 0);
            }

            return;
        }

        _work = work;
        _shares.Deal(items, grain, piecesPerShare);
        _epoch++;
        Interlocked.Exchange(ref _state.Value, (_epoch << EpochShift) | Open);
        if (Volatile.Read(ref _parked) > 0)
        {
            lock (_parking)
            {
                Monitor.PulseAll(_parking);
            }
        }

        TakeItems(0);

        // Nobody joins from here on; those inside finish the items that they took.
        Interlocked.And(ref _state.Value, ~Open);
        AwaitWorkers();
        Interlocked.Exchange(ref _failure, null)?.Throw();
    }

    /// <summary>Ends the threads.</summary>
    public void Dispose()
    {
        _stopping = true;
        lock (_parking)
        {
            Monitor.PulseAll(_parking);
        }

        foreach (Thread worker in _workers)
        {
            worker.Join();
        }
    }

    private void AwaitWorkers()
    {
        long began = Stopwatch.GetTimestamp();
        while ((Volatile.Read(ref _state.Value) & ActiveMask) != 0)
        {
            Pause(began);
        }
    }

    private void Work(int index)
    {
        if (_masks is not null)
        {
            // A refusal only costs speed; that the processors may be used was checked with the options.
            ProcessorAffinity.TryWrite(_masks[index]);
        }

        long joined = 0;
        long idleSince = Stopwatch.GetTimestamp();
        while (!_stopping)
        {
            if (TryJoin(ref joined))
            {
                TakeItems(index);
                Interlocked.Decrement(ref _state.Value);
                idleSince = Stopwatch.GetTimestamp();
            }
            else if (!Pause(idleSince))
            {
                Park(joined);
                idleSince = Stopwatch.GetTimestamp();
            }
        }
    }

    private bool TryJoin(ref long joined)
    {
        long state = Volatile.Read(ref _state.Value);
        while (MayJoin(state, joined))
        {
            long seen = Interlocked.CompareExchange(ref _state.Value, state + 1, state);
            if (seen == state)
            {
                joined = state >> EpochShift;
                return true;
            }

            state = seen;
        }

        return false;
    }

    private static bool MayJoin(long state, long joined) => (state & Open) != 0 && state >> EpochShift != joined;

    // A failure ends this thread's part; the caller throws the last one when all threads are done.
    private void TakeItems(int thread)
    {
        try
        {
            IParallelWork work = _work!;
            while (_shares.TryTake(thread, out int first, out int end))
            {
                work.Run(first, end, thread);
            }
        }
        catch (Exception e)
        {
            Volatile.Write(ref _failure, ExceptionDispatchInfo.Capture(e));
        }
    }

    // False once it is time to sleep.
    private static bool Pause(long since)
    {
        long waited = Stopwatch.GetTimestamp() - since;
        if (waited < SpinTicks)
        {
            Thread.SpinWait(4);
            return true;
        }

        Thread.Yield();
        return waited < YieldTicks;
    }

    private void Park(long joined)
    {
        lock (_parking)
        {
            // Counted before the state is read, and the caller reads the count after it has written the state: one of
            // the two sees the other.
            Interlocked.Increment(ref _parked);
            if (!_stopping && !MayJoin(Volatile.Read(ref _state.Value), joined))
            {
                Monitor.Wait(_parking);
            }

            Interlocked.Decrement(ref _parked);
        }
    }

    /// <summary>The time for which the caller is tied to its processor.</summary>
    public readonly struct CallerScope(byte[]? before) : IDisposable
    {
        /// <summary>Lets the thread run where it could before.</summary>
        public void Dispose()
        {
            if (before is not null)
            {
                ProcessorAffinity.TryWrite(before);
            }
        }
    }
}
