using LlmCluster.Inference.KvCache;

namespace LlmCluster.Inference.Scheduling;

/// <summary>A wait for blocks into which another worker's K/V will be written.</summary>
internal sealed class Reservation(BlockHash[] prefix, int blockCount)
{
    private readonly TaskCompletionSource<(BlockLease Blocks, int CachedBlocks)> _granted =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>When it was made, by <see cref="Environment.TickCount64"/>.</summary>
    public long QueuedAt { get; } = Environment.TickCount64;

    /// <summary>Ends with the blocks.</summary>
    public Task<(BlockLease Blocks, int CachedBlocks)> Granted => _granted.Task;

    /// <summary>Takes the blocks if there are enough.</summary>
    /// <returns>Whether the wait is over, be it that it was cancelled.</returns>
    public bool TryGrant(BlockPool pool, int keepAvailable)
    {
        if (_granted.Task.IsCompleted)
        {
            return true;
        }

        BlockLease? blocks = pool.TryReserve(prefix, blockCount, out int cachedBlocks, keepAvailable);
        if (blocks is null)
        {
            return false;
        }

        if (!_granted.TrySetResult((blocks, cachedBlocks)))
        {
            blocks.Dispose();
        }

        return true;
    }

    /// <summary>Ends the wait.</summary>
    public void Cancel(CancellationToken cancellationToken) => _granted.TrySetCanceled(cancellationToken);

    /// <summary>Ends the wait with an error.</summary>
    public void Fail(Exception error) => _granted.TrySetException(error);
}
