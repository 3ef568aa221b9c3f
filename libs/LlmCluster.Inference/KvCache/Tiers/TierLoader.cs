namespace LlmCluster.Inference.KvCache.Tiers;

/// <summary>Content on its way up: from the disk to host memory, from there to blocks of the pool. One thread at a time.</summary>
internal sealed class TierLoader(BlockPool pool, IKvBlockStore store, HostTier host, DiskTier? disk, TierWriter writer)
{
    /// <summary>Fills the blocks of a load, as far as a tier has their content.</summary>
    /// <param name="load">The load; it is over afterwards.</param>
    /// <param name="stopping">Asked before each block.</param>
    public void Run(TierLoad load, Func<bool> stopping)
    {
        try
        {
            int count = 0;
            while (count < load.Hashes.Length && !stopping() && TryLoad(load, count))
            {
                count++;
            }

            // The beginning is to be evicted last: without it the rest is of no use.
            for (int i = count - 1; i >= 0; i--)
            {
                host.Touch(load.Hashes[i]);
            }
        }
        finally
        {
            load.End();
        }
    }

    private bool TryLoad(TierLoad load, int index)
    {
        BlockHash hash = load.Hashes[index];
        if (load.IsOver || !TryPin(hash, load.Hashes.Length - index, out int slot))
        {
            return false;
        }

        try
        {
            if (!load.TryBeginCopy())
            {
                return false;
            }

            int block = load.Blocks[index];
            TierCopy.Write(store, block, host.Bytes(slot));
            pool.Publish(block, hash);
            host.Counters.Promote(host.BlockBytes);
            load.EndCopy();
            return true;
        }
        finally
        {
            host.Unpin(slot);
        }
    }

    // The content in host memory, wherever it was before.
    private bool TryPin(BlockHash hash, int wanted, out int slot)
    {
        if (host.TryPin(hash, touch: true, out slot))
        {
            host.Counters.Hit(1);
            return true;
        }

        if (disk?.Contains(hash) == true && TryReadFromDisk(hash) && host.TryPin(hash, touch: true, out slot))
        {
            host.Counters.Miss(1);
            disk.Counters.Hit(1);
            return true;
        }

        host.Counters.Miss(wanted);
        disk?.Counters.Miss(wanted);
        return false;
    }

    private bool TryReadFromDisk(BlockHash hash)
    {
        if (!host.TryBegin(hash, out int slot, out BlockHash? evicted))
        {
            return false;
        }

        writer.CountEvicted(evicted);
        bool read = false;
        try
        {
            read = disk!.TryRead(hash, host.Bytes(slot));
        }
        finally
        {
            if (read)
            {
                host.Commit(slot);
                host.Counters.Write(host.BlockBytes);
            }
            else
            {
                host.Abort(slot);
            }
        }

        return read;
    }
}
