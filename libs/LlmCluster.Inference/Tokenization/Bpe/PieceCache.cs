namespace LlmCluster.Inference.Tokenization.Bpe;

/// <summary>
/// Remembers the tokens of pieces of text that were met lately. A fixed number of slots, one piece a slot, the newest
/// wins; entries are immutable and swapped whole, so no lock is needed.
/// </summary>
internal sealed class PieceCache(int slots = 1 << 14)
{
    /// <summary>Longer pieces seldom come again.</summary>
    public const int LongestPiece = 48;

    private readonly Entry?[] _entries = new Entry?[slots];

    public bool TryGet(ReadOnlySpan<char> piece, out ReadOnlySpan<int> ids)
    {
        if (piece.Length <= LongestPiece
            && Volatile.Read(ref _entries[SlotOf(piece)]) is { } entry
            && piece.SequenceEqual(entry.Piece))
        {
            ids = entry.Ids;
            return true;
        }

        ids = default;
        return false;
    }

    public void Set(ReadOnlySpan<char> piece, ReadOnlySpan<int> ids)
    {
        if (piece.Length <= LongestPiece)
        {
            Volatile.Write(ref _entries[SlotOf(piece)], new Entry(piece.ToString(), ids.ToArray()));
        }
    }

    private int SlotOf(ReadOnlySpan<char> piece)
    {
        uint hash = 2166136261;
        foreach (char c in piece)
        {
            hash = (hash ^ c) * 16777619;
        }

        hash ^= hash >> 15;
        return (int)(hash % (uint)_entries.Length);
    }

    private sealed record Entry(string Piece, int[] Ids);
}
