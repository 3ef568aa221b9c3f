using System.Runtime.InteropServices;

namespace LlmCluster.Inference.Execution;

/// <summary>
/// One ragged batch: for each sequence its new tokens, where they start, its block table, and how many of its
/// last rows want logits. Reused from step to step; filling it allocates nothing once it has grown.
/// </summary>
public sealed class ForwardBatch
{
    private readonly List<int> _tokens = [];
    private readonly List<int> _blocks = [];
    private readonly List<Entry> _entries = [];

    /// <summary>Sequences in the batch.</summary>
    public int SequenceCount => _entries.Count;

    /// <summary>New tokens over all sequences.</summary>
    public int TokenCount => _tokens.Count;

    /// <summary>Rows that want logits over all sequences.</summary>
    public int LogitRows { get; private set; }

    /// <summary>New tokens of all sequences, one sequence after the other.</summary>
    public ReadOnlySpan<int> Tokens => CollectionsMarshal.AsSpan(_tokens);

    /// <summary>Empties the batch.</summary>
    public void Clear()
    {
        _tokens.Clear();
        _blocks.Clear();
        _entries.Clear();
        LogitRows = 0;
    }

    /// <summary>Adds a sequence.</summary>
    /// <param name="tokens">New token ids; at least one.</param>
    /// <param name="startPosition">Position of the first; K/V of all positions before it are in the pool.</param>
    /// <param name="blockTable">Pool blocks of the sequence, in order, enough for all positions up to the last new one.</param>
    /// <param name="logitRows">How many of the last new tokens want logits: 0 for an inner prefill chunk, 1 to sample.</param>
    public void Add(ReadOnlySpan<int> tokens, int startPosition, ReadOnlySpan<int> blockTable, int logitRows)
    {
        ArgumentOutOfRangeException.ThrowIfZero(tokens.Length);
        ArgumentOutOfRangeException.ThrowIfNegative(startPosition);
        ArgumentOutOfRangeException.ThrowIfNegative(logitRows);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(logitRows, tokens.Length);
        _entries.Add(new Entry(_tokens.Count, tokens.Length, startPosition, _blocks.Count, blockTable.Length, logitRows, LogitRows));
        _tokens.AddRange(tokens);
        _blocks.AddRange(blockTable);
        LogitRows += logitRows;
    }

    /// <summary>Sequence <paramref name="index"/> of the batch.</summary>
    public ForwardSequence this[int index]
    {
        get
        {
            Entry e = _entries[index];
            return new ForwardSequence(
                e.FirstRow,
                Tokens.Slice(e.FirstRow, e.TokenCount),
                e.StartPosition,
                CollectionsMarshal.AsSpan(_blocks).Slice(e.FirstBlock, e.BlockCount),
                e.LogitRows,
                e.FirstLogitRow);
        }
    }

    private readonly record struct Entry(int FirstRow, int TokenCount, int StartPosition, int FirstBlock, int BlockCount, int LogitRows, int FirstLogitRow);
}

/// <summary>A sequence in a <see cref="ForwardBatch"/>.</summary>
/// <param name="firstRow">Row of its first new token in the batch.</param>
/// <param name="tokens">New token ids.</param>
/// <param name="startPosition">Position of the first new token.</param>
/// <param name="blockTable">Pool blocks, in order.</param>
/// <param name="logitRows">How many of the last rows want logits.</param>
/// <param name="firstLogitRow">Index of the first of them in the logits.</param>
public readonly ref struct ForwardSequence(
    int firstRow, ReadOnlySpan<int> tokens, int startPosition, ReadOnlySpan<int> blockTable, int logitRows, int firstLogitRow)
{
    /// <summary>Row of the first new token in the batch.</summary>
    public int FirstRow { get; } = firstRow;

    /// <summary>New token ids.</summary>
    public ReadOnlySpan<int> Tokens { get; } = tokens;

    /// <summary>Position of the first new token.</summary>
    public int StartPosition { get; } = startPosition;

    /// <summary>Pool blocks, in order.</summary>
    public ReadOnlySpan<int> BlockTable { get; } = blockTable;

    /// <summary>How many of the last rows want logits.</summary>
    public int LogitRows { get; } = logitRows;

    /// <summary>Index of the first of them in the logits.</summary>
    public int FirstLogitRow { get; } = firstLogitRow;
}
