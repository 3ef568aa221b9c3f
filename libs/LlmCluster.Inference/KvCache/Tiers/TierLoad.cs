namespace LlmCluster.Inference.KvCache.Tiers;

/// <summary>
/// Blocks of one owner that are being filled from the tiers, the first ones first. The load has references of its own, so whatever becomes of the owner,
/// nobody else gets a block that is still written. It is over when all is there, at the first block that no tier has, or when it was stopped.
/// </summary>
/// <param name="hashes">Content wanted, in order.</param>
/// <param name="blocks">The blocks to fill, one for each.</param>
/// <param name="deadline">By <see cref="Environment.TickCount64"/>; the owner stops it then.</param>
/// <param name="onOver">Called once it is over.</param>
internal sealed class TierLoad(BlockHash[] hashes, BlockLease blocks, long deadline, Action? onOver)
{
    private const int Idle = 0;
    private const int Copying = 1;
    private const int Over = 2;

    private readonly TaskCompletionSource _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _state;
    private int _loaded;
    private volatile bool _stop;

    public ReadOnlySpan<BlockHash> Hashes => hashes;

    /// <summary>The blocks; only while a copy is under way.</summary>
    public ReadOnlySpan<int> Blocks => blocks.Blocks;

    /// <summary>Whether the blocks will not be written any more.</summary>
    public bool IsOver => Volatile.Read(ref _state) == Over;

    /// <summary>Ends when it is over.</summary>
    public Task Completed => _completed.Task;

    /// <summary>Leading blocks that are filled and published; final once it is over.</summary>
    public int Loaded => Volatile.Read(ref _loaded);

    /// <summary>Whether it has taken as long as it may.</summary>
    public bool IsLate => Environment.TickCount64 >= deadline;

    /// <summary>How long it may still take.</summary>
    public TimeSpan Left => TimeSpan.FromMilliseconds(Math.Max(0, deadline - Environment.TickCount64));

    /// <summary>The loading thread is about to write the next block.</summary>
    /// <returns>False when it must not, because the load was stopped.</returns>
    public bool TryBeginCopy() => !_stop && Interlocked.CompareExchange(ref _state, Copying, Idle) == Idle;

    /// <summary>The block is written, and published.</summary>
    public void EndCopy()
    {
        Volatile.Write(ref _loaded, _loaded + 1);
        Volatile.Write(ref _state, Idle);
    }

    /// <summary>The loading thread will write no more, be it that a copy failed.</summary>
    public void End() => Finish(from: Interlocked.Exchange(ref _state, Over));

    /// <summary>Asks for the end. What was loaded stays.</summary>
    /// <returns>Whether it is over. If not, a block is being copied, and it is over right after that.</returns>
    public bool TryStop()
    {
        _stop = true;
        int state = Interlocked.CompareExchange(ref _state, Over, Idle);
        if (state == Idle)
        {
            Finish(from: state);
        }

        return state != Copying;
    }

    private void Finish(int from)
    {
        if (from != Over)
        {
            blocks.Dispose();
            _completed.TrySetResult();
            onOver?.Invoke();
        }
    }
}
