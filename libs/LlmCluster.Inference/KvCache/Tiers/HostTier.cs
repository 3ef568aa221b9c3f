using LlmCluster.Inference.Cpu;

namespace LlmCluster.Inference.KvCache.Tiers;

/// <summary>
/// Content of blocks in host memory: one allocation cut into slots, hash → slot, eviction of the least recently used. A slot that is pinned, or being
/// filled, stays as it is, so nobody copies while the lock is held. Safe to use from several threads.
/// </summary>
internal sealed unsafe class HostTier : IDisposable
{
    private const int Free = 0;

    // Filled slots, next to be evicted first; pinned ones among them.
    private const int Used = 1;
    private const int Filling = -1;

    // Copies take no longer; a disk that hangs may.
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(5);

    private readonly object _lock = new();
    private readonly Dictionary<BlockHash, int> _slots = [];
    private readonly BlockHash[] _hashes;
    private readonly int[] _pins;
    private readonly IndexLists _lists;
    private readonly NativeBuffer _memory;
    private readonly HeldBlocks? _held;
    private int _busy;
    private bool _closed;

    /// <param name="blockBytes">Bytes of a slot.</param>
    /// <param name="capacity">Slots.</param>
    /// <param name="held">Told of what is here; none: nobody wants to know.</param>
    public HostTier(long blockBytes, int capacity, HeldBlocks? held = null)
    {
        _held = held;
        BlockBytes = checked((int)blockBytes);
        Capacity = capacity;
        _hashes = new BlockHash[capacity];
        _pins = new int[capacity];
        _lists = new IndexLists(capacity, lists: 2);
        for (int slot = 0; slot < capacity; slot++)
        {
            _lists.AddLast(Free, slot);
        }

        _memory = new NativeBuffer(blockBytes * capacity);
    }

    public TierCounters Counters { get; } = new(TierCounters.Host);

    public int BlockBytes { get; }

    public int Capacity { get; }

    /// <summary>Slots that hold content.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _slots.Count;
            }
        }
    }

    /// <summary>The bytes of a slot that the caller fills or has pinned.</summary>
    public Span<byte> Bytes(int slot) => new(_memory.Pointer + ((long)slot * BlockBytes), BlockBytes);

    /// <summary>Whether the content is here, or about to be.</summary>
    public bool Contains(BlockHash hash)
    {
        lock (_lock)
        {
            return _slots.ContainsKey(hash);
        }
    }

    /// <summary>Makes content that is here the last to be evicted.</summary>
    /// <returns>False when it is not here.</returns>
    public bool Touch(BlockHash hash)
    {
        lock (_lock)
        {
            if (!_slots.TryGetValue(hash, out int slot))
            {
                return false;
            }

            TouchLocked(slot);
            return true;
        }
    }

    /// <summary>Takes a slot to be filled with the content of a hash, evicting other content if need be.</summary>
    /// <param name="hash">The content.</param>
    /// <param name="slot">The slot; <see cref="Commit"/> or <see cref="Abort"/> must follow.</param>
    /// <param name="evicted">What was evicted for it.</param>
    /// <returns>False when the content is here, or every slot is in use.</returns>
    public bool TryBegin(BlockHash hash, out int slot, out BlockHash? evicted)
    {
        evicted = null;
        lock (_lock)
        {
            slot = -1;
            if (_closed || _slots.ContainsKey(hash) || !TryTakeLocked(out slot, out evicted))
            {
                return false;
            }

            _slots.Add(hash, slot);
            _hashes[slot] = hash;
            _pins[slot] = Filling;
            _busy++;
            return true;
        }
    }

    /// <summary>The slot is filled: others may read it.</summary>
    public void Commit(int slot)
    {
        lock (_lock)
        {
            _pins[slot] = 0;
            _lists.AddLast(Used, slot);
            _held?.Gain(_hashes[slot], KvTier.Host);
            EndUseLocked();
        }
    }

    /// <summary>The slot could not be filled.</summary>
    public void Abort(int slot)
    {
        lock (_lock)
        {
            _pins[slot] = 0;
            _slots.Remove(_hashes[slot]);
            _lists.AddFirst(Free, slot);
            EndUseLocked();
        }
    }

    /// <summary>Keeps the content of a hash where it is, for reading; <see cref="Unpin"/> must follow.</summary>
    /// <param name="hash">The content.</param>
    /// <param name="touch">Whether that makes it the last to be evicted.</param>
    /// <param name="slot">The slot.</param>
    /// <returns>False when the content is not here, or not yet.</returns>
    public bool TryPin(BlockHash hash, bool touch, out int slot)
    {
        lock (_lock)
        {
            if (_closed || !_slots.TryGetValue(hash, out slot) || _pins[slot] == Filling)
            {
                slot = -1;
                return false;
            }

            if (touch)
            {
                TouchLocked(slot);
            }

            _pins[slot]++;
            _busy++;
            return true;
        }
    }

    /// <summary>Ends a use.</summary>
    public void Unpin(int slot)
    {
        lock (_lock)
        {
            _pins[slot]--;
            EndUseLocked();
        }
    }

    /// <summary>Finds content that is going to be evicted soon.</summary>
    /// <param name="within">How many slots to take into account; those without content come first.</param>
    /// <param name="found">Takes it, next to be evicted first.</param>
    public void FindNextEvicted(int within, List<BlockHash> found)
    {
        found.Clear();
        lock (_lock)
        {
            int count = Math.Min(within - _lists.Count(Free), _lists.Count(Used));
            for (int slot = _lists.First(Used); found.Count < count; slot = _lists.Next(slot))
            {
                found.Add(_hashes[slot]);
            }
        }
    }

    /// <summary>Frees the memory once nobody uses a slot. From now on nothing is here.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _closed = true;
            _slots.Clear();
            long start = Environment.TickCount64;
            while (_busy > 0)
            {
                TimeSpan left = CloseTimeout - TimeSpan.FromMilliseconds(Environment.TickCount64 - start);
                if (left <= TimeSpan.Zero || !Monitor.Wait(_lock, left))
                {
                    // A read or write that hangs still uses the memory: it stays until that ends.
                    return;
                }
            }
        }

        _memory.Dispose();
    }

    private bool TryTakeLocked(out int slot, out BlockHash? evicted)
    {
        evicted = null;
        slot = _lists.First(Free);
        if (_lists.Count(Free) > 0)
        {
            _lists.Remove(Free, slot);
            return true;
        }

        slot = _lists.First(Used);
        for (int i = _lists.Count(Used); i > 0; i--, slot = _lists.Next(slot))
        {
            if (_pins[slot] == 0)
            {
                _lists.Remove(Used, slot);
                evicted = _hashes[slot];
                _slots.Remove(_hashes[slot]);
                _held?.Lose(_hashes[slot], KvTier.Host);
                return true;
            }
        }

        return false;
    }

    private void TouchLocked(int slot)
    {
        if (_pins[slot] != Filling)
        {
            _lists.Remove(Used, slot);
            _lists.AddLast(Used, slot);
        }
    }

    private void EndUseLocked()
    {
        if (--_busy == 0)
        {
            Monitor.PulseAll(_lock);
        }
    }
}
