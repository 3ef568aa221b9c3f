using System.Runtime.CompilerServices;
using LlmCluster.Inference.KvCache;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// Attention over the paged cache with an online softmax. Keys are visited in tiles of 32 positions, from position 0
/// in steps of 32 whatever the chunk, the block size or the other rows of the task are; a row passes over the
/// tiles that hold none of its keys and gives the others in its tiles the weight zero. Parts of 512 positions are summed apart and put together in order, so that
/// threads can share a long context. So each row's arithmetic is what it would be alone, on one thread.
/// </summary>
internal static unsafe class Attention<S, V>
    where S : struct, ISimd<V>
    where V : struct
{
    private const int TileKeys = AttentionShape.TileKeys;

    /// <summary>Bytes of scratch that each thread needs; zero before first use.</summary>
    public static long ScratchBytes(int headDim, int group) =>
        new Scratch(null, headDim, group * AttentionShape.TaskTokensFor(group)).Floats * sizeof(float);

    /// <summary>Floats of what <see cref="RunPart"/> leaves of a task of one token.</summary>
    public static int PartFloats(int headDim, int group) => (int)new Scratch(null, headDim, group).State.Floats(group);

    /// <summary>Computes one task.</summary>
    public static void Run(in AttentionShape shape, in AttentionTask task, byte* memory)
    {
        int rows = task.Tokens * shape.Group;
        var scratch = new Scratch((float*)memory, shape.HeadDim, shape.Group * shape.TaskTokens);
        PackQueries(shape, task, scratch);
        (int part, int lastPart) = shape.Parts(task);
        ComputePart(shape, task, scratch, part);
        Scratch next = scratch;
        next.State = scratch.Next;
        while (++part <= lastPart)
        {
            ComputePart(shape, task, next, part);
            Softmax<S, V>.Merge(next.State, scratch.State, rows);
        }

        Finish(shape, task, scratch.State);
    }

    /// <summary>Computes one part of a task of one token; <see cref="MergeParts"/> makes the result of all, with the bits that <see cref="Run"/> gives.</summary>
    /// <param name="shape">The layer.</param>
    /// <param name="task">The task.</param>
    /// <param name="part">Index of the part; see <see cref="AttentionShape.Parts"/>.</param>
    /// <param name="memory">Scratch of the calling thread's own.</param>
    /// <param name="state">Receives <see cref="PartFloats"/> floats.</param>
    public static void RunPart(in AttentionShape shape, in AttentionTask task, int part, byte* memory, float* state)
    {
        var scratch = new Scratch((float*)memory, shape.HeadDim, shape.Group * shape.TaskTokens);
        PackQueries(shape, task, scratch);
        scratch.State = new SoftmaxState(state, shape.Group, scratch.Width);
        ComputePart(shape, task, scratch, part);
    }

    /// <summary>Puts the parts of a task of one token together, in order.</summary>
    /// <param name="shape">The layer.</param>
    /// <param name="task">The task.</param>
    /// <param name="states">What each part left, <see cref="PartFloats"/> floats apart; not needed afterwards.</param>
    public static void MergeParts(in AttentionShape shape, in AttentionTask task, float* states)
    {
        int width = Panel.RoundUp(shape.HeadDim);
        var total = new SoftmaxState(states, shape.Group, width);
        (int first, int last) = shape.Parts(task);
        for (int part = first + 1; part <= last; part++)
        {
            states += total.Floats(shape.Group);
            Softmax<S, V>.Merge(new SoftmaxState(states, shape.Group, width), total, shape.Group);
        }

        Finish(shape, task, total);
    }

    private static void ComputePart(in AttentionShape shape, in AttentionTask task, in Scratch scratch, int part)
    {
        int rows = task.Tokens * shape.Group;
        new Span<float>(scratch.State.Sums, rows * SoftmaxState.SumLanes).Clear();
        new Span<float>(scratch.State.Measures, rows).Fill(float.NegativeInfinity);
        new Span<float>(scratch.State.Result, rows * scratch.Width).Clear();

        int lowest = Math.Max(part * AttentionShape.PartKeys, task.Position - shape.Window + 1);
        int last = Math.Min((part + 1) * AttentionShape.PartKeys, task.Position + task.Tokens) - 1;
        bool decode = rows <= DecodeTile<S, V>.MostRows && DecodeTile<S, V>.Fits(shape);
        for (int start = lowest / TileKeys * TileKeys; start <= last; start += TileKeys)
        {
            int first = Math.Max(start, lowest);
            int end = Math.Min(start + TileKeys, last + 1);
            scratch.Tile.LoadScales(shape, task, start, first, end);
            if (decode)
            {
                KeyValueTile<S, V>.PrefetchScales(shape, task, start + TileKeys, last);
            }
            else
            {
                KeyValueTile<S, V>.Prefetch(shape, task, start + TileKeys, last);
                scratch.Tile.Load(shape, task, start, first, end);
            }

            for (int row = 0; row < rows; row += S.TileRows)
            {
                Tile(shape, task, scratch, start, row, Math.Min(S.TileRows, rows - row), decode);
            }
        }
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
            GemmTile<S, V>.Run<InOrder<F32Panel<S, V>, V>, PackedLeft>(
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
            DecodeTile<S, V>.AddValues(shape, task, start, start + low, start + high, lastPosition, rows, scores, result, scratch.Width);
            return;
        }

        for (int i = 0; i < scratch.Width; i += Panel.Width)
        {
            float* values = scratch.Tile.Values + (i * TileKeys) + (low * Panel.Width);
            GemmTile<S, V>.Run<InOrder<F32Panel<S, V>, V>, TileLeft>(
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

    private static void Finish(in AttentionShape shape, in AttentionTask task, in SoftmaxState state)
    {
        int rows = task.Tokens * shape.Group;
        for (int row = 0; row < rows; row++)
        {
            Softmax<S, V>.Finish(state, row);
            float* from = state.Result + (row * state.Width);
            float* to = task.Result + ((nint)(row / shape.Group) * shape.ResultStride)
                + (((task.KvHead * shape.Group) + (row % shape.Group)) * shape.HeadDim);
            Unsafe.CopyBlock(to, from, (uint)shape.HeadDim * sizeof(float));
        }
    }

    /// <summary>A thread's memory for one task.</summary>
    private struct Scratch
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
        public SoftmaxState State;

        /// <summary>The same of another part.</summary>
        public readonly SoftmaxState Next;

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
            State = new SoftmaxState(memory + used, maxRows, Width);
            used += State.Floats(maxRows);
            Next = new SoftmaxState(memory + used, maxRows, Width);
            used += State.Floats(maxRows);
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
