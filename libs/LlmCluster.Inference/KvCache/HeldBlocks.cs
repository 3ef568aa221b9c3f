using System.Numerics;
using System.Runtime.InteropServices;

namespace LlmCluster.Inference.KvCache;

/// <summary>Content that is held elsewhere than was last told, or no more.</summary>
/// <param name="Hash">First 64 bits of its hash.</param>
/// <param name="Tier">The fastest tier that holds it; null when none does any more.</param>
public readonly record struct HeldChange(ulong Hash, KvTier? Tier);

/// <summary>
/// Which content a pool and the tiers below it hold, and what of that someone has not been told yet. Pool and tiers report within their own locks, so that the order is
/// that of what happened; a report is an update of a table. Takes room for what is held, and for what was told to be held. Safe to use from several threads.
/// </summary>
public sealed class HeldBlocks
{
    // Bits 0 to 2: the tiers that hold it. From bit 4 on: what was told, as a tier plus one.
    private const int TierMask = 0b111;
    private const int ToldShift = 4;

    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, byte> _entries = [];
    private readonly HashSet<ulong> _changed = [];
    private TaskCompletionSource _signal = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _held;

    /// <summary>Hashes that some tier holds.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _held;
            }
        }
    }

    /// <summary>Hashes of which anything is known: those that are held, and those that were told to be.</summary>
    internal int Known
    {
        get
        {
            lock (_lock)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>The fastest tier that holds a hash.</summary>
    public KvTier? Find(BlockHash hash)
    {
        lock (_lock)
        {
            return _entries.TryGetValue(hash.High, out byte entry) ? Fastest(entry) : null;
        }
    }

    /// <summary>Waits until there is anything to tell.</summary>
    public Task WaitAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return _changed.Count > 0 ? Task.CompletedTask : _signal.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Takes what is to be told; it counts as told from now on.</summary>
    /// <param name="changes">Takes it, each hash once.</param>
    public void Drain(List<HeldChange> changes)
    {
        changes.Clear();
        lock (_lock)
        {
            changes.EnsureCapacity(_changed.Count);
            foreach (ulong hash in _changed)
            {
                byte entry = _entries[hash];
                KvTier? tier = Fastest(entry);
                changes.Add(new HeldChange(hash, tier));
                if (tier is null)
                {
                    _entries.Remove(hash);
                }
                else
                {
                    _entries[hash] = WithTold(entry, tier);
                }
            }

            _changed.Clear();
            if (_signal.Task.IsCompleted)
            {
                _signal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }

    /// <summary>Nothing counts as told: the next <see cref="Drain"/> takes all that is held.</summary>
    public void Forget()
    {
        lock (_lock)
        {
            _changed.Clear();
            foreach ((ulong hash, byte entry) in _entries)
            {
                // Removing and overwriting are allowed while a dictionary is enumerated.
                if ((entry & TierMask) == 0)
                {
                    _entries.Remove(hash);
                }
                else
                {
                    CollectionsMarshal.GetValueRefOrNullRef(_entries, hash) = WithTold(entry, null);
                    _changed.Add(hash);
                }
            }

            if (_changed.Count > 0)
            {
                _signal.TrySetResult();
            }
        }
    }

    /// <summary>A tier holds content now.</summary>
    internal void Gain(BlockHash hash, KvTier tier)
    {
        lock (_lock)
        {
            ref byte entry = ref CollectionsMarshal.GetValueRefOrAddDefault(_entries, hash.High, out _);
            _held += (entry & TierMask) == 0 ? 1 : 0;
            entry |= (byte)(1 << (int)tier);
            NoteLocked(hash.High, entry);
        }
    }

    /// <summary>A tier holds content no more.</summary>
    internal void Lose(BlockHash hash, KvTier tier)
    {
        lock (_lock)
        {
            ref byte entry = ref CollectionsMarshal.GetValueRefOrAddDefault(_entries, hash.High, out _);
            int before = entry & TierMask;
            entry &= (byte)~(1 << (int)tier);
            _held -= before != 0 && (entry & TierMask) == 0 ? 1 : 0;
            NoteLocked(hash.High, entry);
        }
    }

    private static KvTier? Fastest(byte entry) =>
        (entry & TierMask) == 0 ? null : (KvTier)BitOperations.TrailingZeroCount(entry & TierMask);

    private static KvTier? Told(byte entry) => entry >> ToldShift is > 0 and var told ? (KvTier)(told - 1) : null;

    private static byte WithTold(byte entry, KvTier? tier) =>
        (byte)((entry & TierMask) | ((tier is { } told ? (int)told + 1 : 0) << ToldShift));

    // What came and went before it was told is no news.
    private void NoteLocked(ulong hash, byte entry)
    {
        if (Fastest(entry) != Told(entry))
        {
            if (_changed.Add(hash) && _changed.Count == 1)
            {
                _signal.TrySetResult();
            }

            return;
        }

        _changed.Remove(hash);
        if (entry == 0)
        {
            _entries.Remove(hash);
        }
    }
}
