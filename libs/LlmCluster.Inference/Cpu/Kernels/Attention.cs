using System.Runtime.CompilerServices;
using LlmCluster.Inference.KvCache;

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
        bool decode = rows <= DecodeTile<S, V>.MostRows && DecodeTile<S, V>.Fits(shape);
        for (int start = lowest / TileKeys * TileKeys; start <= last; start += TileKeys)
        {
            KeyValueTile<S, V>.Prefetch(shape, task, start + TileKeys, last);
            int first = Math.Max(start, lowest);
            int end = Math.Min(start + TileKeys, last + 1);
            scratch.Tile.LoadScales(shape, task, start, first, end);
            if (!decode)
            {
                scratch.Tile.Load(shape, task, start, first, end);
            }

            for (int row = 0; row < rows; row += S.TileRows)
            {
                Tile(shape, task, scratch, start, row, Math.Min(S.TileRows, rows - row), decode);
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

    private static void Tile(in AttentionShape shape, in AttentionTask task, in Scratch scratch, int start, int row, int rows, bool decode)
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
        float* queries = scratch.Queries + (row * shape.HeadDim);
        if (decode)
        {
            DecodeTile<S, V>.Scores(shape, task, start, lastPosition, rows, queries, scores);
        }
        else
        {
            GemmTile<S, V>.Run<F32Panel<S, V>, PackedLeft>(
                rows, queries, (byte*)scratch.Tile.Keys, shape.HeadDim, scores, TileKeys, accumulate: false);
        }

        if (shape.Dtype == KvDtype.Int8)
        {
            Softmax<S, V>.Scale(scores, rows, scratch.Tile.KeyScales);
        }

        if (lastPosition - shape.Window >= start || firstPosition + 1 < start + TileKeys)
        {
            MaskRows(shape, task, scores, start, row, rows);
        }

        Softmax<S, V>.Rows(scores, rows, scratch.State, row);
        if (shape.Dtype == KvDtype.Int8)
        {
            Softmax<S, V>.Scale(scores, rows, scratch.Tile.ValueScales);
        }

        float* result = scratch.State.Result + (row * scratch.Width);
        if (decode)
        {
            DecodeTile<S, V>.AddValues(shape, task, start, start + low, start + high, rows, scores, result, scratch.Width);
            return;
        }

        for (int i = 0; i < scratch.Width; i += Panel.Width)
        {
            float* values = scratch.Tile.Values + (i * TileKeys) + (low * Panel.Width);
            GemmTile<S, V>.Run<F32Panel<S, V>, TileLeft>(
                rows, scores + low, (byte*)values, high - low, result + i, scratch.Width, accumulate: true);
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

        /// <summary>The keys and values that are looked at.</summary>
        public readonly KeyValueTile<S, V> Tile;

        /// <summary><c>[row][head dim]</c>, on the way to <see cref="Queries"/>.</summary>
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
            Tile = new KeyValueTile<S, V>
            {
                Keys = Take(headDim * TileKeys),
                Values = Take(Width * TileKeys),
                KeyScales = Take(TileKeys),
                ValueScales = Take(TileKeys),
            };
            Rows = Take(headDim * maxRows);
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
