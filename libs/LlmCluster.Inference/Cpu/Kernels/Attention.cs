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
        new Span<float>(scratch.Sums, rows * Scratch.SumLanes).Clear();
        new Span<float>(scratch.Largest, rows).Fill(float.NegativeInfinity);
        new Span<float>(scratch.Result, rows * scratch.Width).Clear();

        int lowest = Math.Max(0, task.Position - shape.Window + 1);
        int last = task.Position + task.Tokens - 1;
        for (int start = lowest / TileKeys * TileKeys; start <= last; start += TileKeys)
        {
            LoadTile(shape, task, start, Math.Max(start, lowest), Math.Min(start + TileKeys, last + 1), scratch);
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

    // Keys become a panel over their 32 positions, values become panels over 32 elements of the head each.
    private static void LoadTile(in AttentionShape shape, in AttentionTask task, int start, int first, int end, in Scratch scratch)
    {
        int headDim = shape.HeadDim;
        for (int position = first; position < end; position++)
        {
            int slot = position - start;
            byte* key = shape.Key(task.BlockTable, position, task.KvHead);
            byte* value = key + shape.ValueOffset;
            float* keyRow = scratch.Rows + (slot * headDim);
            float* valueRow = scratch.Values + (slot * Panel.Width);
            if (shape.Dtype == KvDtype.F32)
            {
                Unsafe.CopyBlock(keyRow, key, (uint)headDim * sizeof(float));
                for (int i = 0; i < headDim; i += Panel.Width)
                {
                    Unsafe.CopyBlock(valueRow + (i * TileKeys), (float*)value + i, (uint)Math.Min(Panel.Width, headDim - i) * sizeof(float));
                }
            }
            else
            {
                Bfloat16.Widen((ushort*)key, keyRow, headDim);
                for (int i = 0; i < headDim; i += Panel.Width)
                {
                    Bfloat16.Widen((ushort*)value + i, valueRow + (i * TileKeys), Math.Min(Panel.Width, headDim - i));
                }
            }
        }

        int offset = first - start;
        TilePacking.Transpose(scratch.Rows + (offset * headDim), headDim, end - first, headDim, scratch.Keys + offset, TileKeys);
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
        for (int i = 0; i < rows; i++)
        {
            int position = task.Position + ((row + i) / shape.Group);
            int rowLow = Math.Max(0, position - shape.Window + 1 - start);
            int rowHigh = Math.Min(TileKeys, position + 1 - start);
            Softmax(scores + (i * TileKeys), rowLow, rowHigh, scratch, row + i);
        }

        for (int i = 0; i < scratch.Width; i += Panel.Width)
        {
            float* values = scratch.Values + (i * TileKeys) + (low * Panel.Width);
            GemmTile<S, V>.Run<F32Panel<S, V>, TileLeft>(
                rows, scores + low, (byte*)values, high - low, scratch.Result + (row * scratch.Width) + i, scratch.Width, accumulate: true);
        }
    }

    // Turns a row's scores into weights against the largest score so far, and brings what the row has summed up to now
    // to the same measure.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Softmax(float* scores, int low, int high, in Scratch scratch, int row)
    {
        if (low >= high)
        {
            new Span<float>(scores, TileKeys).Clear();
            return;
        }

        bool partial = low > 0 || high < TileKeys;
        if (partial)
        {
            new Span<float>(scores, low).Fill(float.NegativeInfinity);
            new Span<float>(scores + high, TileKeys - high).Fill(float.NegativeInfinity);
        }

        V most = S.Load(scores);
        for (int i = S.Lanes; i < TileKeys; i += S.Lanes)
        {
            most = S.Max(most, S.Load(scores + i));
        }

        float* sums = scratch.Sums + (row * Scratch.SumLanes);
        V sum = S.Load(sums);
        float before = scratch.Largest[row];
        float largest = MathF.Max(before, S.Largest(most));
        if (largest != before)
        {
            // e^0 is exactly 1, so that leaving this out when nothing grew changes no bit.
            V factor = VectorMath<S, V>.Exp(S.Splat(before - largest));
            scratch.Largest[row] = largest;
            sum = S.Multiply(sum, factor);
            float* result = scratch.Result + (row * scratch.Width);
            for (int i = 0; i < scratch.Width; i += S.Lanes)
            {
                S.Store(result + i, S.Multiply(S.Load(result + i), factor));
            }
        }

        V measure = S.Splat(largest);
        for (int i = 0; i < TileKeys; i += S.Lanes)
        {
            S.Store(scores + i, VectorMath<S, V>.Exp(S.Subtract(S.Load(scores + i), measure)));
        }

        if (partial)
        {
            new Span<float>(scores, low).Clear();
            new Span<float>(scores + high, TileKeys - high).Clear();
        }

        for (int i = 0; i < TileKeys; i += S.Lanes)
        {
            sum = S.Add(sum, S.Load(scores + i));
        }

        S.Store(sums, sum);
    }

    private static void Finish(in AttentionShape shape, in AttentionTask task, in Scratch scratch)
    {
        int rows = task.Tokens * shape.Group;
        for (int row = 0; row < rows; row++)
        {
            float* from = scratch.Result + (row * scratch.Width);
            Divide(from, scratch.Width, scratch.Sums + (row * Scratch.SumLanes));
            float* to = task.Result + ((nint)(row / shape.Group) * shape.ResultStride)
                + (((task.KvHead * shape.Group) + (row % shape.Group)) * shape.HeadDim);
            Unsafe.CopyBlock(to, from, (uint)shape.HeadDim * sizeof(float));
        }
    }

    // Keys of weight zero may leave a zero sum with either sign; adding zero gives it the positive one.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Divide(float* values, int count, float* sums)
    {
        V sum = S.Splat(S.Sum(S.Load(sums)));
        for (int i = 0; i < count; i += S.Lanes)
        {
            S.Store(values + i, S.Add(S.Divide(S.Load(values + i), sum), S.Splat(0f)));
        }
    }

    /// <summary>A thread's memory for one task.</summary>
    private readonly struct Scratch
    {
        /// <summary>Floats that hold a row's sum of weights lane by lane.</summary>
        public const int SumLanes = 16;

        /// <summary>Floats of a head, filled up to whole panels.</summary>
        public readonly int Width;

        /// <summary>Floats in all.</summary>
        public readonly long Floats;

        /// <summary><c>[head dim][32 keys]</c>.</summary>
        public readonly float* Keys;

        /// <summary><c>[panel][32 keys][32 elements]</c>.</summary>
        public readonly float* Values;

        /// <summary><c>[row or key][head dim]</c>, on the way to a packed form.</summary>
        public readonly float* Rows;

        /// <summary>Tiles of <c>[head dim][rows]</c>.</summary>
        public readonly float* Queries;

        /// <summary><c>[row][Width]</c>.</summary>
        public readonly float* Result;

        /// <summary><c>[row of a tile][32 keys]</c>.</summary>
        public readonly float* Scores;

        /// <summary><c>[row][lanes]</c>.</summary>
        public readonly float* Sums;

        /// <summary>Largest score of each row so far.</summary>
        public readonly float* Largest;

        public Scratch(float* memory, int headDim, int maxRows)
        {
            Width = Panel.RoundUp(headDim);
            long used = 0;
            Keys = Take(headDim * TileKeys);
            Values = Take(Width * TileKeys);
            Rows = Take(headDim * Math.Max(maxRows, TileKeys));
            Queries = Take(headDim * maxRows);
            Result = Take(Width * maxRows);
            Scores = Take(S.TileRows * TileKeys);
            Sums = Take(SumLanes * maxRows);
            Largest = Take(maxRows);
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
