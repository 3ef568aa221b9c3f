using System.Numerics;
using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Tokenization.Bpe;

/// <summary>What merging a pair of tokens gives.</summary>
/// <param name="Rank">Its place in the list of merges; the lowest goes first. Never negative.</param>
/// <param name="NewId">The token that the pair becomes.</param>
internal readonly record struct Merge(int Rank, int NewId);

/// <summary>
/// The merges of a BPE model: an open-addressing hash table from a pair of ids to <see cref="Merge"/>. It is built once
/// and read from many threads.
/// </summary>
internal sealed class MergeTable
{
    private const ulong Empty = ulong.MaxValue;

    private readonly ulong[] _keys;
    private readonly Merge[] _values;
    private readonly int _shift;

    public MergeTable(int capacity)
    {
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, capacity * 2));
        _keys = new ulong[size];
        Array.Fill(_keys, Empty);
        _values = new Merge[size];
        _shift = 64 - BitOperations.Log2((uint)size);
    }

    /// <summary>Adds a merge. A later one of the same pair replaces an earlier one.</summary>
    public void Set(int left, int right, Merge merge)
    {
        ulong key = Key(left, right);
        int slot = Slot(key);
        while (_keys[slot] != Empty && _keys[slot] != key)
        {
            slot = (slot + 1) & (_keys.Length - 1);
        }

        _keys[slot] = key;
        _values[slot] = merge;
    }

    /// <summary>Finds the merge of a pair.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryGet(int left, int right, out Merge merge)
    {
        ulong key = Key(left, right);
        ulong[] keys = _keys;
        int slot = Slot(key);
        while (true)
        {
            ulong found = keys[slot];
            if (found == key)
            {
                merge = _values[slot];
                return true;
            }

            if (found == Empty)
            {
                merge = default;
                return false;
            }

            slot = (slot + 1) & (keys.Length - 1);
        }
    }

    /// <summary>The rank of a pair's merge, or <see cref="int.MaxValue"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int RankOf(int left, int right) => TryGet(left, right, out var merge) ? merge.Rank : int.MaxValue;

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private int Slot(ulong key) => (int)((key * 0x9E37_79B9_7F4A_7C15UL) >> _shift);
}
