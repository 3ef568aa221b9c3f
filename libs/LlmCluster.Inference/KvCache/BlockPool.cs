using System.Runtime.InteropServices;
using LlmCluster.Inference.KvCache.Tiers;

namespace LlmCluster.Inference.KvCache;

/// <summary>
/// Accounts for the blocks of a KV pool: reference counts, hash → block for full blocks, and eviction of the least
/// recently used among the unreferenced. Knows nothing of the bytes. Safe to use from several threads.
/// </summary>
public sealed partial class BlockPool
{
    private const int None = -1;

    // Unreferenced blocks, next to be taken first: all free ones come before the cached ones.
    private const int Free = 0;
    private const int Cached = 1;

    private readonly Lock _lock = new();
    private readonly Dictionary<BlockHash, int> _byHash = [];
    private readonly BlockHash?[] _hashes;
    private readonly int[] _references;

    private readonly IndexLists _idle;

    // When a cached block lost its last owner: its place in the list.
    private readonly long[] _cachedAt;
    private long _clock;

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
        _idle = new IndexLists(blockCount, lists: 2);
        _cachedAt = new long[blockCount];
        for (int block = 0; block < blockCount; block++)
        {
            _idle.AddLast(Free, block);
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
                return new BlockPoolCounts(BlockCount, _idle.Count(Free), _idle.Count(Cached), BlockCount - Available);
            }
        }
    }

    /// <summary>Blocks that reservations found, and did not find.</summary>
    internal TierCounters Lookups { get; } = new(TierCounters.Device);

    /// <summary>Keeps content that is evicted; set before the pool is used.</summary>
    internal IEvictedContent? Evicted { get; set; }

    /// <summary>Told of content that becomes findable, or is no more; set before the pool is used.</summary>
    internal HeldBlocks? Held { get; set; }

    private int Available => _idle.Count(Free) + _idle.Count(Cached);

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
        List<CachedBlock>? evicted = null;
        int hits = 0;
        lock (_lock)
        {
            int revived = 0;
            while (hits < prefix.Length && _byHash.TryGetValue(prefix[hits], out int block))
            {
                blocks[hits++] = block;
                revived += _references[block] == 0 ? 1 : 0;
            }

            if (blockCount - hits > Available - revived - keepAvailable)
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
                blocks[i] = TakeLocked(out BlockHash? content);
                if (content is { } hash && Evicted is not null)
                {
                    (evicted ??= []).Add(new CachedBlock(blocks[i], hash));
                }
            }
        }

        Evicted?.Keep(CollectionsMarshal.AsSpan(evicted), wanted: prefix[hits..]);
        Lookups.Hit(hits);
        Lookups.Miss(prefix.Length - hits);
        cachedBlocks = hits;
        return new BlockLease(this, blocks);
    }

    /// <summary>Takes references on the leading blocks of <paramref name="prefix"/> that are in the pool.</summary>
    /// <returns>The lease, or null when the first one is not there.</returns>
    public BlockLease? TakeCached(ReadOnlySpan<BlockHash> prefix)
    {
        var blocks = new List<int>();
        lock (_lock)
        {
            while (blocks.Count < prefix.Length && _byHash.TryGetValue(prefix[blocks.Count], out int block))
            {
                AddReferenceLocked(block);
                blocks.Add(block);
            }
        }

        return blocks.Count == 0 ? null : new BlockLease(this, [.. blocks]);
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
        BlockHash? content;
        lock (_lock)
        {
            if (Available == 0)
            {
                block = None;
                return false;
            }

            block = TakeLocked(out content);
        }

        if (content is { } hash && Evicted is { } evicted)
        {
            evicted.Keep([new CachedBlock(block, hash)], wanted: []);
        }

        return true;
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
                Held?.Gain(hash, KvTier.Device);
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
                        _idle.AddFirst(Free, block);
                    }
                    else
                    {
                        _idle.AddLast(Cached, block);
                        _cachedAt[block] = ++_clock;
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
            foreach (BlockHash hash in _byHash.Keys)
            {
                Held?.Lose(hash, KvTier.Device);
            }

            _byHash.Clear();
            Array.Clear(_hashes);
            _idle.Append(Cached, Free);
        }
    }

    private void AddReferenceLocked(int block)
    {
        if (_references[block]++ == 0)
        {
            _idle.Remove(_hashes[block] is null ? Free : Cached, block);
        }
    }

    private int TakeLocked(out BlockHash? content)
    {
        int list = _idle.Count(Free) > 0 ? Free : Cached;
        int block = _idle.First(list);
        _idle.Remove(list, block);
        content = _hashes[block];
        if (content is { } hash)
        {
            _byHash.Remove(hash);
            _hashes[block] = null;
            Held?.Lose(hash, KvTier.Device);
        }

        _references[block] = 1;
        return block;
    }
}
