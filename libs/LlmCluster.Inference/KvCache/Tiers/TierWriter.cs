namespace LlmCluster.Inference.KvCache.Tiers;

/// <summary>Content on its way down: from the pool to host memory, from there to the disk. Safe to use from several threads, but for the disk's part.</summary>
internal sealed class TierWriter(BlockPool pool, IKvBlockStore store, HostTier host, DiskTier? disk, double writeAhead)
{
    // Between the times of two files that are written at the end, so that the order of use outlives it.
    private static readonly TimeSpan FileAge = TimeSpan.FromMilliseconds(1);

    private readonly List<CachedBlock> _blocks = [];
    private readonly List<BlockHash> _hashes = [];

    // Half of the tier below at most: what is saved must not push out what was saved just before.
    private readonly int _blocksAhead = Ahead(writeAhead, pool.BlockCount, host.Capacity);
    private readonly int _slotsAhead = disk is null ? 0 : Ahead(writeAhead, host.Capacity, disk.Capacity);

    /// <summary>Saves a block that the caller has taken, if host memory does not hold it already.</summary>
    /// <returns>Whether anything was written.</returns>
    public bool Keep(CachedBlock block, bool synchronous)
    {
        // Here it was in use until now.
        if (host.Touch(block.Hash))
        {
            return false;
        }

        if (!host.TryBegin(block.Hash, out int slot, out BlockHash? evicted))
        {
            if (synchronous && !host.Contains(block.Hash))
            {
                pool.Lookups.Drop();
            }

            return false;
        }

        CountEvicted(evicted);
        try
        {
            TierCopy.Read(store, block.Block, host.Bytes(slot));
        }
        catch
        {
            host.Abort(slot);
            throw;
        }

        host.Commit(slot);
        host.Counters.Demote(host.BlockBytes, synchronous);
        return true;
    }

    /// <summary>What host memory evicted is lost, unless the disk has it.</summary>
    public void CountEvicted(BlockHash? evicted)
    {
        if (evicted is { } hash && disk?.Touch(hash) != true)
        {
            host.Counters.Drop();
        }
    }

    /// <summary>Saves those blocks of the pool that would be evicted next.</summary>
    /// <param name="stopping">Asked before each block.</param>
    /// <returns>Whether anything was written.</returns>
    public bool SaveBlocks(Func<bool> stopping)
    {
        pool.FindNextEvicted(_blocksAhead, _blocks);
        bool any = false;
        foreach (CachedBlock block in _blocks)
        {
            if (stopping())
            {
                break;
            }

            any |= !host.Contains(block.Hash) && SaveCached(block);
        }

        return any;
    }

    /// <summary>Writes to the disk what host memory would evict next.</summary>
    /// <param name="stopping">Asked before each block.</param>
    public void SaveSlots(Func<bool> stopping)
    {
        host.FindNextEvicted(_slotsAhead, _hashes);
        foreach (BlockHash hash in _hashes)
        {
            if (stopping() || !TryWriteToDisk(hash))
            {
                return;
            }
        }
    }

    /// <summary>
    /// Writes to the disk what the pool and host memory hold, the latest used first: the beginning of a prompt is of use without its end, and is
    /// given back later.
    /// </summary>
    /// <param name="stopping">Asked before each block.</param>
    public void Flush(Func<bool> stopping)
    {
        pool.FindNextEvicted(pool.BlockCount, _blocks);
        host.FindNextEvicted(host.Capacity, _hashes);
        _blocks.Reverse();
        _hashes.Reverse();
        byte[] buffer = new byte[host.BlockBytes];
        DateTime time = DateTime.UtcNow;
        int left = disk!.Capacity;
        foreach (CachedBlock block in _blocks)
        {
            if (left-- == 0 || stopping() || !(host.Contains(block.Hash) ? TryWriteToDisk(block.Hash) : TryWriteToDisk(block, buffer)))
            {
                return;
            }

            disk.SetTime(block.Hash, time -= FileAge);
        }

        foreach (BlockHash hash in _hashes)
        {
            if (left-- == 0 || stopping() || !TryWriteToDisk(hash))
            {
                return;
            }

            disk.SetTime(hash, time -= FileAge);
        }
    }

    private static int Ahead(double share, int blocks, int below) =>
        share == 0 ? 0 : (int)Math.Clamp(Math.Ceiling(share * blocks), 1, Math.Max(1, below / 2));

    private bool SaveCached(CachedBlock block)
    {
        if (!pool.TryPin(block))
        {
            return false;
        }

        try
        {
            return Keep(block, synchronous: false);
        }
        finally
        {
            pool.Unpin(block.Block);
        }
    }

    // False when the disk failed: the next round tries again.
    private bool TryWriteToDisk(BlockHash hash)
    {
        if (disk!.Touch(hash) || !host.TryPin(hash, touch: false, out int slot))
        {
            return true;
        }

        try
        {
            return disk.TryWrite(hash, host.Bytes(slot));
        }
        finally
        {
            host.Unpin(slot);
        }
    }

    private bool TryWriteToDisk(CachedBlock block, byte[] buffer)
    {
        if (disk!.Touch(block.Hash) || !pool.TryPin(block))
        {
            return true;
        }

        try
        {
            TierCopy.Read(store, block.Block, buffer);
        }
        finally
        {
            pool.Unpin(block.Block);
        }

        return disk.TryWrite(block.Hash, buffer);
    }
}
