using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.Execution;

namespace LlmCluster.Inference.Cpu;

/// <summary>Rows of a batch that run through a layer together, so that their activations stay in the cache.</summary>
/// <param name="FirstRow">First row of the batch.</param>
/// <param name="Rows">How many.</param>
/// <param name="FirstTask">First of its attention tasks.</param>
/// <param name="Tasks">How many.</param>
/// <param name="FirstLogitTask">First of the tasks of just those rows that want logits: the last layer's.</param>
/// <param name="LogitTasks">How many.</param>
/// <param name="FirstLogit">First of its rows that want logits, counted among all that do.</param>
/// <param name="Logits">How many.</param>
internal readonly record struct PlannedChunk(
    int FirstRow, int Rows, int FirstTask, int Tasks, int FirstLogitTask, int LogitTasks, int FirstLogit, int Logits);

/// <summary>Consecutive tokens of one sequence within a chunk.</summary>
/// <param name="Row">Row of the first in the chunk.</param>
/// <param name="Tokens">How many.</param>
/// <param name="Position">Position of the first.</param>
/// <param name="FirstBlock">Where the sequence's block table begins in <see cref="BatchPlan.Blocks"/>.</param>
/// <param name="ResultRow">Row of the first one's result.</param>
internal readonly record struct PlannedTask(int Row, int Tokens, int Position, int FirstBlock, int ResultRow);

/// <summary>Position and block table of a row.</summary>
internal readonly record struct PlannedRow(int Token, int Position, int FirstBlock);

/// <summary>
/// A batch cut into chunks and attention tasks. The cuts depend on the whole batch; no result does.
/// </summary>
internal sealed class BatchPlan(int taskTokens, int chunkRows, int tileRows)
{
    public PinnedList<PlannedRow> Rows { get; } = new();

    public PinnedList<PlannedChunk> Chunks { get; } = new();

    public PinnedList<PlannedTask> Tasks { get; } = new();

    /// <summary>Tasks of the rows that want logits.</summary>
    public PinnedList<PlannedTask> LogitTasks { get; } = new();

    /// <summary>Block tables, one after the other.</summary>
    public PinnedList<int> Blocks { get; } = new();

    /// <summary>Rows of the batch that want logits, in order.</summary>
    public PinnedList<int> LogitRows { get; } = new();

    /// <summary>Most rows of a chunk.</summary>
    public int LargestChunk { get; private set; }

    /// <summary>Last position of all sequences.</summary>
    public int LastPosition { get; private set; }

    /// <summary>Plans a batch that has been checked.</summary>
    public void Build(ForwardBatch batch)
    {
        Rows.Clear();
        Chunks.Clear();
        Tasks.Clear();
        LogitTasks.Clear();
        Blocks.Clear();
        LogitRows.Clear();
        LastPosition = 0;

        int chunks = (batch.TokenCount + chunkRows - 1) / chunkRows;
        int tiles = (batch.TokenCount + (chunks * tileRows) - 1) / (chunks * tileRows);
        LargestChunk = Math.Min(tiles * tileRows, batch.TokenCount);
        var chunk = new PlannedChunk();
        for (int i = 0; i < batch.SequenceCount; i++)
        {
            ForwardSequence sequence = batch[i];
            int firstBlock = Blocks.Count;
            Blocks.AddRange(sequence.BlockTable);
            LastPosition = Math.Max(LastPosition, sequence.StartPosition + sequence.Tokens.Length - 1);
            int done = 0;
            while (done < sequence.Tokens.Length)
            {
                int count = Math.Min(sequence.Tokens.Length - done, LargestChunk - chunk.Rows);
                chunk = Extend(chunk, sequence, done, count, firstBlock);
                done += count;
                if (chunk.Rows == LargestChunk)
                {
                    chunk = Close(chunk);
                }
            }
        }

        if (chunk.Rows > 0)
        {
            Close(chunk);
        }
    }

    private PlannedChunk Extend(PlannedChunk chunk, ForwardSequence sequence, int first, int count, int firstBlock)
    {
        for (int i = first; i < first + count; i++)
        {
            Rows.Add(new PlannedRow(sequence.Tokens[i], sequence.StartPosition + i, firstBlock));
        }

        AddTasks(Tasks, chunk.Rows, count, sequence.StartPosition + first, firstBlock, chunk.Rows);
        int firstWithLogits = Math.Max(first, sequence.Tokens.Length - sequence.LogitRows);
        int logits = Math.Max(0, first + count - firstWithLogits);
        if (logits > 0)
        {
            int row = chunk.Rows + firstWithLogits - first;
            AddTasks(LogitTasks, row, logits, sequence.StartPosition + firstWithLogits, firstBlock, chunk.Logits);
            for (int i = 0; i < logits; i++)
            {
                LogitRows.Add(chunk.FirstRow + row + i);
            }
        }

        return chunk with { Rows = chunk.Rows + count, Logits = chunk.Logits + logits };
    }

    private void AddTasks(PinnedList<PlannedTask> tasks, int row, int count, int position, int firstBlock, int resultRow)
    {
        for (int i = 0; i < count; i += taskTokens)
        {
            tasks.Add(new PlannedTask(row + i, Math.Min(taskTokens, count - i), position + i, firstBlock, resultRow + i));
        }
    }

    private PlannedChunk Close(PlannedChunk chunk)
    {
        Chunks.Add(chunk with { Tasks = Tasks.Count - chunk.FirstTask, LogitTasks = LogitTasks.Count - chunk.FirstLogitTask });
        return new PlannedChunk(chunk.FirstRow + chunk.Rows, 0, Tasks.Count, 0, LogitTasks.Count, 0, LogitRows.Count, 0);
    }
}
