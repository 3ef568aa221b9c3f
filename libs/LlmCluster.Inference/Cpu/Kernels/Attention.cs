using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// Attention over the paged cache with an online softmax. Keys are visited in tiles of 32 positions, from position 0
/// in steps of 32 whatever the chunk, the block size or the other rows of the task are; a row passes over the
/// tiles that hold none of its keys and gives the others in its tiles the weight zero. So each row's arithmetic is what
/// it would be alone.
/// </summary>
internal static unsafe class Attention<S, V>
    where S : struct, ISimd<V>
    where V : struct
{
    private const int TileKeys = AttentionShape.TileKeys;

    /// <summary>Bytes of scratch that each thread needs; zero before first use.</summary>
    public static long ScratchBytes(int headDim, int group) =>
        new Scratch(null, headDim, group * AttentionShape.TaskTokensFor(group)).Floats * sizeof(float);

    /// <summary>Computes one task.</summary>
    public static void Run(in AttentionShape shape, in AttentionTask task, byte* memory)
    {
        int rows = task.Tokens * shape.Group;
        var scratch = new Scratch((float*)memory, shape.HeadDim, shape.Group * shape.TaskTokens);
        PackQueries(shape, task, scratch);
        new Span<float>(scratch.State.Sums, rows * SoftmaxState.SumLanes).Clear();
        new Span<float>(scratch.State.Measures, rows).Fill(float.NegativeInfinity);
        new Span<float>(scratch.State.Result, rows * scratch.Width).Clear();

        int lowest = Math.Max(0, task.Position - shape.Window + 1);
        int last = task.Position + task.Tokens - 1;
        for (int start = lowest / TileKeys * TileKeys; start <= last; start += TileKeys)
        {
            KeyValueTile<S, V>.Load(
                shape, task, start, Math.Max(start, lowest), Math.Min(start + TileKeys, last + 1), scratch.Keys, scratch.Values, (uint*)scratch.Rows);
            for (int row = 0; row < rows; row += S.TileRows)
            {
                Tile(shape, task, scratch, start, row, Math.Min(S.TileRows, rows - row));
            }
        }

        Finish(shape, task, scratch);
    }

    private static void PackQueries(in AttentionShape shape, in AttentionTask task, in Scratch scratch)
    {
        int rows = task.Tokens * shape.Group;
        for (int row = 0; row < rows; row++)
        {
            float* query = task.Query + ((nint)(row / shape.Group) * shape.QueryStride)
                + (((task.KvHead * shape.Group) + (row % shape.Group)) * shape.HeadDim);
            Unsafe.CopyBlock(scratch.Rows + (row * shape.HeadDim), query, (uint)shape.HeadDim * sizeof(float));
        }

        for (int row = 0; row < rows; row += S.TileRows)
        {
            int count = Math.Min(S.TileRows, rows - row);
            int offset = row * shape.HeadDim;
            TilePacking.Transpose(scratch.Rows + offset, shape.HeadDim, count, shape.HeadDim, scratch.Queries + offset, count);
        }
    }

    private static void Tile(in AttentionShape shape, in AttentionTask task, in Scratch scratch, int start, int row, int rows)
    {
        // Keys that some row of the tile looks at. Positions grow with the rows.
        int firstPosition = task.Position + (row / shape.Group);
        int lastPosition = task.Position + ((row + rows - 1) / shape.Group);
        int low = Math.Max(0, firstPosition - shape.Window + 1 - start);
        int high = Math.Min(TileKeys, lastPosition + 1 - start);
        if (low >= high)
        {
            return;
        }

        float* scores = scratch.Scores;
        GemmTile<S, V>.Run<F32Panel<S, V>, PackedLeft>(
            rows, scratch.Queries + (row * shape.HeadDim), (byte*)scratch.Keys, shape.HeadDim, scores, TileKeys, accumulate: false);
        if (lastPosition - shape.Window >= start || firstPosition + 1 < start + TileKeys)
        {
            MaskRows(shape, task, scores, start, row, rows);
        }

        Softmax<S, V>.Rows(scores, rows, scratch.State, row);
        for (int i = 0; i < scratch.Width; i += Panel.Width)
        {
            float* values = scratch.Values + (i * TileKeys) + (low * Panel.Width);
            GemmTile<S, V>.Run<F32Panel<S, V>, TileLeft>(
                rows, scores + low, (byte*)values, high - low, scratch.State.Result + (row * scratch.Width) + i, scratch.Width, accumulate: true);
        }
    }

    private static void MaskRows(in AttentionShape shape, in AttentionTask task, float* scores, int start, int row, int rows)
    {
        for (int i = 0; i < rows; i++)
        {
            int position = task.Position + ((row + i) / shape.Group);
            Softmax<S, V>.Mask(scores + (i * TileKeys), position - shape.Window + 1 - start, position + 1 - start);
        }
    }

    private static void Finish(in AttentionShape shape, in AttentionTask task, in Scratch scratch)
    {
        int rows = task.Tokens * shape.Group;
        for (int row = 0; row < rows; row++)
        {
            Softmax<S, V>.Finish(scratch.State, row);
            float* from = scratch.State.Result + (row * scratch.Width);
            float* to = task.Result + ((nint)(row / shape.Group) * shape.ResultStride)
                + (((task.KvHead * shape.Group) + (row % shape.Group)) * shape.HeadDim);
            Unsafe.CopyBlock(to, from, (uint)shape.HeadDim * sizeof(float));
        }
    }

    /// <summary>A thread's memory for one task.</summary>
    private readonly struct Scratch
    {
        /// <summary>Floats of a head, filled up to whole panels.</summary>
        public readonly int Width;

        /// <summary>Floats in all.</summary>
        public readonly long Floats;

        /// <summary><c>[head dim][32 keys]</c>.</summary>
        public readonly float* Keys;

        /// <summary><c>[panel][32 keys][32 elements]</c>.</summary>
        public readonly float* Values;

        /// <summary><c>[row][head dim]</c> or <c>[head dim][32 keys]</c>, on the way to a packed form.</summary>
        public readonly float* Rows;

        /// <summary>Tiles of <c>[head dim][rows]</c>.</summary>
        public readonly float* Queries;

        /// <summary><c>[row of a tile][32 keys]</c>.</summary>
        public readonly float* Scores;

        /// <summary>What is kept of each row between tiles.</summary>
        public readonly SoftmaxState State;

        public Scratch(float* memory, int headDim, int maxRows)
        {
            Width = Panel.RoundUp(headDim);
            long used = 0;
            Keys = Take(headDim * TileKeys);
            Values = Take(Width * TileKeys);
            Rows = Take(headDim * Math.Max(maxRows, TileKeys));
            Queries = Take(headDim * maxRows);
            Scores = Take(S.TileRows * TileKeys);
            State = new SoftmaxState
            {
                Measures = Take(maxRows),
                Sums = Take(SoftmaxState.SumLanes * maxRows),
                Result = Take(Width * maxRows),
                Width = Width,
            };
            Floats = used;

            float* Take(int floats)
            {
                float* start = memory + used;
                used += Panel.RoundUp(floats);
                return start;
            }
        }
    }
}
