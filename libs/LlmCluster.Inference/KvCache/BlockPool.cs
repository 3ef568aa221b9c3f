namespace LlmCluster.Inference.KvCache;

/// <summary>Counts of a pool's blocks at one moment; <c>Free + Cached + Referenced = Total</c>.</summary>
/// <param name="Total">All blocks.</param>
/// <param name="Free">Blocks without owner and without content.</param>
/// <param name="Cached">Blocks without owner whose content can be reused until they are evicted.</param>
/// <param name="Referenced">Blocks that a sequence or a transfer holds.</param>
public readonly record struct BlockPoolCounts(int Total, int Free, int Cached, int Referenced)
{
    /// <summary>Blocks that can be had at once.</summary>
    public int Available => Free + Cached;
}

/// <summary>
/// Accounts for the blocks of a KV pool: reference counts, hash → block for full blocks, and eviction of the least
/// recently used among the unreferenced. Knows nothing of the bytes. Safe to use from several threads.
/// </summary>
public sealed class BlockPool
{
    private const int None = -1;

    private readonly Lock _lock = new();
    private readonly Dictionary<BlockHash, int> _byHash = [];
    private readonly BlockHash?[] _hashes;
    private readonly int[] _references;

    // Unreferenced blocks in a doubly linked list through these arrays, next to be taken first. The sentinel is the
    // last index.
    private readonly int[] _next;
    private readonly int[] _previous;
    private readonly int _sentinel;
    private int _available;
    private int _cached;

    /// <summary>Creates a pool with every block free.</summary>
    /// <param name="blockCount">Blocks in the pool.</param>
    /// <param name="blockSize">Tokens in a block.</param>
    public BlockPool(int blockCount, int blockSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(blockCount);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(blockSize);
        BlockSize = blockSize;
        _hashes = new BlockHash?[blockCount];
        _references = new int[blockCount];
        _next = new int[blockCount + 1];
        _previous = new int[blockCount + 1];
        _sentinel = blockCount;
        _next[_sentinel] = _previous[_sentinel] = _sentinel;
        for (int block = 0; block < blockCount; block++)
        {
            InsertBefore(_sentinel, block);
        }
    }

    /// <summary>Raised, outside the pool's lock, after blocks may have become available.</summary>
    public event Action? Released;

    /// <summary>Tokens in a block.</summary>
    public int BlockSize { get; }

    /// <summary>All blocks.</summary>
    public int BlockCount => _references.Length;

    /// <summary>Counts at this moment.</summary>
    public BlockPoolCounts Counts
    {
        get
        {
            lock (_lock)
            {
                return new BlockPoolCounts(BlockCount, _available - _cached, _cached, BlockCount - _available);
            }
        }
    }

    /// <summary>
    /// Takes blocks for a sequence: those cached for the longest prefix of <paramref name="prefix"/>, then fresh ones up
    /// to <paramref name="blockCount"/>. Takes all or nothing.
    /// </summary>
    /// <param name="prefix">Hashes of full blocks that may be reused, in order.</param>
    /// <param name="blockCount">Blocks wanted in all; at least <c>prefix.Length</c>.</param>
    /// <param name="cachedBlocks">How many of the blocks, from the first, hold their content already.</param>
    /// <param name="keepAvailable">Blocks that must still be available afterwards, for those that run to grow.</param>
    /// <returns>The lease, or null when too few blocks are available.</returns>
    public BlockLease? TryReserve(ReadOnlySpan<BlockHash> prefix, int blockCount, out int cachedBlocks, int keepAvailable = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blockCount, prefix.Length);
        ArgumentOutOfRangeException.ThrowIfNegative(keepAvailable);
        var blocks = new int[blockCount];
        lock (_lock)
        {
            int hits = 0;
            int revived = 0;
            while (hits < prefix.Length && _byHash.TryGetValue(prefix[hits], out int block))
            {
                blocks[hits++] = block;
                revived += _references[block] == 0 ? 1 : 0;
            }

            if (blockCount - hits > _available - revived - keepAvailable)
            {
                cachedBlocks = 0;
                return null;
            }

            for (int i = 0; i < hits; i++)
            {
                AddReferenceLocked(blocks[i]);
            }

            for (int i = hits; i < blockCount; i++)
            {
                blocks[i] = TakeLocked();
            }

            cachedBlocks = hits;
        }

        return new BlockLease(this, blocks);
    }

    /// <summary>How many leading blocks of <paramref name="prefix"/> are in the pool. Takes no references: a hint.</summary>
    public int CountPrefix(ReadOnlySpan<BlockHash> prefix)
    {
        lock (_lock)
        {
            int hits = 0;
            while (hits < prefix.Length && _byHash.ContainsKey(prefix[hits]))
            {
                hits++;
            }

            return hits;
        }
    }

    /// <summary>Takes one fresh block, evicting cached content if need be.</summary>
    /// <returns>False when every block is referenced.</returns>
    public bool TryAllocate(out int block)
    {
        lock (_lock)
        {
            if (_available == 0)
            {
                block = None;
                return false;
            }

            block = TakeLocked();
            return true;
        }
    }

    /// <summary>
    /// Makes a full block findable under its hash. The caller holds a reference and will not write the block again.
    /// When another block has the same hash already, that one stays the findable one.
    /// </summary>
    public void Publish(int block, BlockHash hash)
    {
        lock (_lock)
        {
            if (_references[block] == 0)
            {
                throw new InvalidOperationException($"Block {block} has no owner and can't be published.");
            }

            if (_hashes[block] is null && _byHash.TryAdd(hash, block))
            {
                _hashes[block] = hash;
            }
        }
    }

    /// <summary>Adds a second owner to blocks that the caller holds references on.</summary>
    /// <returns>The second owner's lease.</returns>
    public BlockLease Share(ReadOnlySpan<int> blocks)
    {
        lock (_lock)
        {
            foreach (int block in blocks)
            {
                if (_references[block] == 0)
                {
                    throw new InvalidOperationException($"Block {block} has no owner and can't be shared.");
                }
            }

            foreach (int block in blocks)
            {
                _references[block]++;
            }
        }

        return new BlockLease(this, blocks.ToArray());
    }

    /// <summary>
    /// Gives back one reference on each block, the last first, so that a prefix outlives what follows it. No block may
    /// be named twice.
    /// </summary>
    /// <exception cref="InvalidOperationException">A block has no owner; nothing was given back.</exception>
    public void Release(ReadOnlySpan<int> blocks)
    {
        bool freed = false;
        lock (_lock)
        {
            foreach (int block in blocks)
            {
                if (_references[block] == 0)
                {
                    throw new InvalidOperationException($"Block {block} was released more often than it was taken.");
                }
            }

            for (int i = blocks.Length - 1; i >= 0; i--)
            {
                int block = blocks[i];
                if (--_references[block] == 0)
                {
                    freed = true;
                    if (_hashes[block] is null)
                    {
                        // Without content it is the best one to take next.
                        InsertBefore(_next[_sentinel], block);
                    }
                    else
                    {
                        InsertBefore(_sentinel, block);
                        _cached++;
                    }
                }
            }
        }

        if (freed)
        {
            Released?.Invoke();
        }
    }

    /// <summary>Forgets all cached content. Referenced blocks stay with their owners, but are no longer findable.</summary>
    public void ClearCache()
    {
        lock (_lock)
        {
            _byHash.Clear();
            Array.Clear(_hashes);
            _cached = 0;
        }
    }

    private void AddReferenceLocked(int block)
    {
        if (_references[block]++ == 0)
        {
            Unlink(block);
            if (_hashes[block] is not null)
            {
                _cached--;
            }
        }
    }

    private int TakeLocked()
    {
        int block = _next[_sentinel];
        Unlink(block);
        if (_hashes[block] is { } hash)
        {
            _byHash.Remove(hash);
            _hashes[block] = null;
            _cached--;
        }

        _references[block] = 1;
        return block;
    }

    private void InsertBefore(int position, int block)
    {
        int before = _previous[position];
        _next[before] = block;
        _previous[block] = before;
        _next[block] = position;
        _previous[position] = block;
        _available++;
    }

    private void Unlink(int block)
    {
        _next[_previous[block]] = _next[block];
        _previous[_next[block]] = _previous[block];
        _available--;
    }
}
