using System.Runtime.CompilerServices;
using LlmCluster.Inference.KvCache;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// Brings 32 positions of the cache into the form of tiles: keys as one panel whose columns are the positions, values as
/// panels of 32 elements of the head each, both widened to singles. Integers stay what they are, with their scales apart.
/// </summary>
internal readonly unsafe struct KeyValueTile<S, V>
    where S : struct, ISimd<V>
    where V : struct
{
    private const int TileKeys = AttentionShape.TileKeys;
    private const int CacheLine = 64;

    /// <summary><c>[head dim][32 keys]</c>.</summary>
    public required float* Keys { get; init; }

    /// <summary><c>[panel][32 keys][32 elements]</c>.</summary>
    public required float* Values { get; init; }

    /// <summary>What each key's scores are to be multiplied by, where the cache has scales.</summary>
    public required float* KeyScales { get; init; }

    /// <summary>What each value is to be multiplied by, where the cache has scales.</summary>
    public required float* ValueScales { get; init; }

    /// <summary>Asks for the tile at <paramref name="start"/>: the processor doesn't see by itself where the next block is.</summary>
    public static void Prefetch(in AttentionShape shape, in AttentionTask task, int start, int last)
    {
        for (int position = start; position < start + TileKeys && position <= last; position += shape.BlockSize)
        {
            Prefetch(shape.Keys(task, position / shape.BlockSize), 2 * shape.HeadBlockBytes);
        }
    }

    /// <summary>Asks just for the tile's scales, where the cache has scales.</summary>
    public static void PrefetchScales(in AttentionShape shape, in AttentionTask task, int start, int last)
    {
        for (int position = start; shape.Dtype == KvDtype.Int8 && position < start + TileKeys && position <= last; position += shape.BlockSize)
        {
            byte* keys = shape.Keys(task, position / shape.BlockSize);
            int bytes = HeadBlock.IntegersAt(shape.BlockSize);
            Prefetch(keys, bytes);
            Prefetch(keys + shape.HeadBlockBytes, bytes);
        }
    }

    /// <summary>Loads just the scales of positions, where the cache has scales.</summary>
    public void LoadScales(in AttentionShape shape, in AttentionTask task, int start, int first, int end)
    {
        while (shape.Dtype == KvDtype.Int8 && first < end)
        {
            int block = first / shape.BlockSize;
            int slot = first - (block * shape.BlockSize);
            int count = Math.Min(shape.BlockSize - slot, end - first);
            float* scales = (float*)shape.Keys(task, block) + slot;
            uint bytes = (uint)count * sizeof(float);
            Unsafe.CopyBlock(KeyScales + first - start, scales, bytes);
            Unsafe.CopyBlock(ValueScales + first - start, (byte*)scales + shape.HeadBlockBytes, bytes);
            first += count;
        }
    }

    /// <summary>
    /// Loads the positions from <paramref name="first"/> to before <paramref name="end"/> of the tile at <paramref name="start"/>, without their scales; the others'
    /// columns hold no meaning.
    /// </summary>
    public void Load(in AttentionShape shape, in AttentionTask task, int start, int first, int end)
    {
        while (first < end)
        {
            int block = first / shape.BlockSize;
            int slot = first - (block * shape.BlockSize);
            int count = Math.Min(shape.BlockSize - slot, end - first);
            byte* keys = shape.Keys(task, block);
            byte* values = keys + shape.HeadBlockBytes;
            int column = first - start;
            switch (shape.Dtype)
            {
                case KvDtype.F32:
                    Load<F32Kv<S, V>>(shape, keys, values, slot, count, column);
                    break;
                case KvDtype.BF16:
                    Load<BF16Kv<S, V>>(shape, keys, values, slot, count, column);
                    break;
                default:
                    int integers = HeadBlock.IntegersAt(shape.BlockSize);
                    Load<Int8Kv<S, V>>(shape, keys + integers, values + integers, slot, count, column);
                    break;
            }

            first += count;
        }
    }

    private static void Prefetch(byte* from, nint bytes)
    {
        for (nint line = 0; line < bytes; line += CacheLine)
        {
            S.Prefetch(from + line);
        }
    }

    private void Load<F>(in AttentionShape shape, byte* keys, byte* values, int slot, int count, int column)
        where F : struct, IKvFormat<V>
    {
        int blockSize = shape.BlockSize;
        if (blockSize % S.Lanes == 0)
        {
            // Whole vectors; what they hold besides is masked later.
            int before = slot % S.Lanes;
            LoadKeys<F>(keys + ((slot - before) * F.Bytes), blockSize * F.Bytes, shape.HeadDim, before + count, Keys + column - before);
        }
        else
        {
            for (int i = 0; i < shape.HeadDim; i++)
            {
                float* to = Keys + (i * TileKeys) + column;
                for (int key = 0; key < count; key++)
                {
                    to[key] = F.One(keys + (((i * blockSize) + slot + key) * F.Bytes));
                }
            }
        }

        LoadValues<F>(values + (slot * shape.HeadDim * F.Bytes), shape.HeadDim, count, Values + (column * Panel.Width));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void LoadKeys<F>(byte* source, nint stride, int headDim, int count, float* destination)
        where F : struct, IKvFormat<V>
    {
        for (; headDim > 0; headDim--)
        {
            for (int key = 0; key < count; key += S.Lanes)
            {
                S.Store(destination + key, F.Vector(source + (key * F.Bytes)));
            }

            source += stride;
            destination += TileKeys;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void LoadValues<F>(byte* source, int headDim, int count, float* destination)
        where F : struct, IKvFormat<V>
    {
        nint stride = (nint)headDim * F.Bytes;
        int first = 0;
        for (; first + Panel.Width <= headDim; first += Panel.Width)
        {
            // Whole panels without inner bounds.
            byte* from = source + (first * F.Bytes);
            float* to = destination;
            for (int key = 0; key < count; key++)
            {
                for (int i = 0; i < Panel.Width; i += 2 * S.Lanes)
                {
                    S.Store(to + i, F.Vector(from + (i * F.Bytes)));
                    S.Store(to + i + S.Lanes, F.Vector(from + ((i + S.Lanes) * F.Bytes)));
                }

                from += stride;
                to += Panel.Width;
            }

            destination += Panel.Width * TileKeys;
        }

        for (int key = 0; key < count; key++)
        {
            byte* from = source + (key * stride) + (first * F.Bytes);
            for (int i = 0; i < headDim - first; i++)
            {
                destination[(key * Panel.Width) + i] = F.One(from + (i * F.Bytes));
            }
        }
    }
}
