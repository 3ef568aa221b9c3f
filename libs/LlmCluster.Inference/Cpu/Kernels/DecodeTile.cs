using System.Runtime.CompilerServices;
using LlmCluster.Inference.KvCache;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// A tile of 32 keys for up to four rows, straight from the cache: bringing keys and values into the form of <see cref="KeyValueTile{S, V}"/> first
/// would cost more than the few rows' products. Sums over elements and keys in the same order as the products of that form, and has the same bits.
/// </summary>
/// <remarks>
/// Where it reads a key or a value it asks memory for the one 32 positions on, as far as the second-level cache: the processor doesn't see by itself where the next block is, and all of the next tile
/// asked for at once would hold up the reads of this one.
/// </remarks>
internal static unsafe class DecodeTile<S, V>
    where S : struct, ISimd<V>
    where V : struct
{
    /// <summary>Most rows of a tile.</summary>
    public const int MostRows = 4;

    private const int TileKeys = AttentionShape.TileKeys;

    /// <summary>Whether whole vectors of keys and values stand side by side in such a cache.</summary>
    public static bool Fits(in AttentionShape shape) => shape.BlockSize % Panel.Half == 0 && shape.HeadDim % Panel.Width == 0;

    /// <summary>Multiplies rows of queries with the keys of a tile; scores of positions that the sequence has not got hold no meaning.</summary>
    /// <param name="shape">The cache.</param>
    /// <param name="task">The sequence and the KV head.</param>
    /// <param name="start">First position of the tile.</param>
    /// <param name="last">Last position of the sequence.</param>
    /// <param name="rows">Rows, 1 to 4.</param>
    /// <param name="queries"><c>[head dim][rows]</c>.</param>
    /// <param name="scores">Receives <c>[rows][32]</c>.</param>
    public static void Scores(in AttentionShape shape, in AttentionTask task, int start, int last, int rows, float* queries, float* scores)
    {
        switch (shape.Dtype)
        {
            case KvDtype.F32:
                Scores<F32Kv<S, V>>(shape, task, start, last, rows, queries, scores, 0);
                break;
            case KvDtype.BF16:
                Scores<BF16Kv<S, V>>(shape, task, start, last, rows, queries, scores, 0);
                break;
            default:
                Scores<Int8Kv<S, V>>(shape, task, start, last, rows, queries, scores, HeadBlock.IntegersAt(shape.BlockSize));
                break;
        }
    }

    /// <summary>Adds the values of positions, each by its weights, to rows of results.</summary>
    /// <param name="shape">The cache.</param>
    /// <param name="task">The sequence and the KV head.</param>
    /// <param name="start">First position of the tile.</param>
    /// <param name="first">First position to add.</param>
    /// <param name="end">Position after the last.</param>
    /// <param name="last">Last position of the sequence.</param>
    /// <param name="rows">Rows, 1 to 4.</param>
    /// <param name="weights"><c>[rows][32]</c>.</param>
    /// <param name="result">The first row's result.</param>
    /// <param name="stride">Floats from one row's result to the next.</param>
    public static void AddValues(
        in AttentionShape shape, in AttentionTask task, int start, int first, int end, int last, int rows, float* weights, float* result, int stride)
    {
        while (first < end)
        {
            int block = first / shape.BlockSize;
            int slot = first - (block * shape.BlockSize);
            int count = Math.Min(shape.BlockSize - slot, end - first);
            byte* values = shape.Keys(task, block) + shape.HeadBlockBytes;
            nint ahead = first + TileKeys <= last ? (nint)(shape.Keys(task, (first + TileKeys) / shape.BlockSize) + shape.HeadBlockBytes - values) : 0;
            float* weight = weights + (first - start);
            switch (shape.Dtype)
            {
                case KvDtype.F32:
                    AddValues<F32Kv<S, V>>(values, slot, count, shape.HeadDim, rows, weight, result, stride, ahead);
                    break;
                case KvDtype.BF16:
                    AddValues<BF16Kv<S, V>>(values, slot, count, shape.HeadDim, rows, weight, result, stride, ahead);
                    break;
                default:
                    AddValues<Int8Kv<S, V>>(values + HeadBlock.IntegersAt(shape.BlockSize), slot, count, shape.HeadDim, rows, weight, result, stride, ahead);
                    break;
            }

            first += count;
        }
    }

    private static void Scores<F>(
        in AttentionShape shape, in AttentionTask task, int start, int last, int rows, float* queries, float* scores, int offset)
        where F : struct, IKvFormat<V>
    {
        nint stride = (nint)shape.BlockSize * F.Bytes;
        for (int column = 0; column < TileKeys && start + column <= last; column += 2 * S.Lanes)
        {
            byte* low = Keys<F>(shape, task, start + column) + offset;

            // Beyond the last position any address that may be read.
            byte* high = start + column + S.Lanes <= last ? Keys<F>(shape, task, start + column + S.Lanes) + offset : low;
            nint lowAhead = start + column + TileKeys <= last ? (nint)(Keys<F>(shape, task, start + column + TileKeys) + offset - low) : 0;
            nint highAhead = start + column + S.Lanes + TileKeys <= last ? (nint)(Keys<F>(shape, task, start + column + S.Lanes + TileKeys) + offset - high) : 0;
            float* to = scores + column;
            switch (rows)
            {
                case 1:
                    Multiply<F, Rows1>(low, high, lowAhead, highAhead, stride, shape.HeadDim, queries, to);
                    break;
                case 2:
                    Multiply<F, Rows2>(low, high, lowAhead, highAhead, stride, shape.HeadDim, queries, to);
                    break;
                case 3:
                    Multiply<F, Rows3>(low, high, lowAhead, highAhead, stride, shape.HeadDim, queries, to);
                    break;
                case 4:
                    Multiply<F, Rows4>(low, high, lowAhead, highAhead, stride, shape.HeadDim, queries, to);
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(rows), rows, "Such a tile has 1 to 4 rows.");
            }
        }
    }

    private static byte* Keys<F>(in AttentionShape shape, in AttentionTask task, int position)
        where F : struct, IKvFormat<V>
    {
        int block = position / shape.BlockSize;
        return shape.Keys(task, block) + ((position - (block * shape.BlockSize)) * F.Bytes);
    }

    private static void AddValues<F>(byte* values, int slot, int count, int headDim, int rows, float* weights, float* result, int stride, nint ahead)
        where F : struct, IKvFormat<V>
    {
        nint step = (nint)headDim * F.Bytes;
        byte* from = values + (slot * step);
        for (int i = 0; i < headDim; i += 2 * S.Lanes)
        {
            switch (rows)
            {
                case 1:
                    AddPair<F, Rows1>(from, step, count, weights, result, stride, ahead);
                    break;
                case 2:
                    AddPair<F, Rows2>(from, step, count, weights, result, stride, ahead);
                    break;
                case 3:
                    AddPair<F, Rows3>(from, step, count, weights, result, stride, ahead);
                    break;
                default:
                    AddPair<F, Rows4>(from, step, count, weights, result, stride, ahead);
                    break;
            }

            from += 2 * S.Lanes * F.Bytes;
            result += 2 * S.Lanes;
        }
    }

    // Two vectors of keys, and how far from each the ones are that come next.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<F, R>(byte* lowKeys, byte* highKeys, nint lowAhead, nint highAhead, nint stride, int headDim, float* query, float* scores)
        where F : struct, IKvFormat<V>
        where R : struct, IRowCount
    {
        V low0 = default, high0 = default;
        V low1 = default, high1 = default;
        V low2 = default, high2 = default;
        V low3 = default, high3 = default;
        for (; headDim > 0; headDim--)
        {
            S.PrefetchFar(lowKeys + lowAhead);
            S.PrefetchFar(highKeys + highAhead);
            V low = F.Vector(lowKeys);
            V high = F.Vector(highKeys);
            V x = S.SplatAt(query);
            low0 = S.MultiplyAdd(x, low, low0);
            high0 = S.MultiplyAdd(x, high, high0);

            if (R.Value > 1)
            {
                x = S.SplatAt(query + 1);
                low1 = S.MultiplyAdd(x, low, low1);
                high1 = S.MultiplyAdd(x, high, high1);
            }

            if (R.Value > 2)
            {
                x = S.SplatAt(query + 2);
                low2 = S.MultiplyAdd(x, low, low2);
                high2 = S.MultiplyAdd(x, high, high2);
            }

            if (R.Value > 3)
            {
                x = S.SplatAt(query + 3);
                low3 = S.MultiplyAdd(x, low, low3);
                high3 = S.MultiplyAdd(x, high, high3);
            }

            lowKeys += stride;
            highKeys += stride;
            query += R.Value;
        }

        S.Store(scores, low0);
        S.Store(scores + S.Lanes, high0);

        if (R.Value > 1)
        {
            S.Store(scores + TileKeys, low1);
            S.Store(scores + TileKeys + S.Lanes, high1);
        }

        if (R.Value > 2)
        {
            S.Store(scores + (2 * TileKeys), low2);
            S.Store(scores + (2 * TileKeys) + S.Lanes, high2);
        }

        if (R.Value > 3)
        {
            S.Store(scores + (3 * TileKeys), low3);
            S.Store(scores + (3 * TileKeys) + S.Lanes, high3);
        }
    }

    // Two vectors of elements, and how far from each the ones are that come next.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddPair<F, R>(byte* values, nint step, int count, float* weights, float* result, nint stride, nint ahead)
        where F : struct, IKvFormat<V>
        where R : struct, IRowCount
    {
        V low0 = default, high0 = default;
        V low1 = default, high1 = default;
        V low2 = default, high2 = default;
        V low3 = default, high3 = default;
        low0 = S.Load(result);
        high0 = S.Load(result + S.Lanes);

        if (R.Value > 1)
        {
            low1 = S.Load(result + stride);
            high1 = S.Load(result + stride + S.Lanes);
        }

        if (R.Value > 2)
        {
            low2 = S.Load(result + (2 * stride));
            high2 = S.Load(result + (2 * stride) + S.Lanes);
        }

        if (R.Value > 3)
        {
            low3 = S.Load(result + (3 * stride));
            high3 = S.Load(result + (3 * stride) + S.Lanes);
        }

        for (; count > 0; count--)
        {
            S.PrefetchFar(values + ahead);
            S.PrefetchFar(values + ahead + (S.Lanes * F.Bytes));
            V low = F.Vector(values);
            V high = F.Vector(values + (S.Lanes * F.Bytes));
            V x = S.SplatAt(weights);
            low0 = S.MultiplyAdd(x, low, low0);
            high0 = S.MultiplyAdd(x, high, high0);

            if (R.Value > 1)
            {
                x = S.SplatAt(weights + TileKeys);
                low1 = S.MultiplyAdd(x, low, low1);
                high1 = S.MultiplyAdd(x, high, high1);
            }

            if (R.Value > 2)
            {
                x = S.SplatAt(weights + (2 * TileKeys));
                low2 = S.MultiplyAdd(x, low, low2);
                high2 = S.MultiplyAdd(x, high, high2);
            }

            if (R.Value > 3)
            {
                x = S.SplatAt(weights + (3 * TileKeys));
                low3 = S.MultiplyAdd(x, low, low3);
                high3 = S.MultiplyAdd(x, high, high3);
            }

            values += step;
            weights++;
        }

        S.Store(result, low0);
        S.Store(result + S.Lanes, high0);

        if (R.Value > 1)
        {
            S.Store(result + stride, low1);
            S.Store(result + stride + S.Lanes, high1);
        }

        if (R.Value > 2)
        {
            S.Store(result + (2 * stride), low2);
            S.Store(result + (2 * stride) + S.Lanes, high2);
        }

        if (R.Value > 3)
        {
            S.Store(result + (3 * stride), low3);
            S.Store(result + (3 * stride) + S.Lanes, high3);
        }
    }
}
