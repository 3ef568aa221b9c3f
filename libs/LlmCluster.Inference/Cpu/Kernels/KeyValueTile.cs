using System.Runtime.CompilerServices;
using LlmCluster.Inference.KvCache;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// Brings 32 positions of the cache into the form of tiles: keys as one panel whose columns are the positions, values as
/// panels of 32 elements of the head each, both widened to singles.
/// </summary>
internal static unsafe class KeyValueTile<S, V>
    where S : struct, ISimd<V>
    where V : struct
{
    private const int TileKeys = AttentionShape.TileKeys;

    /// <summary>Loads the positions from <paramref name="first"/> to before <paramref name="end"/> of the tile at <paramref name="start"/>.</summary>
    /// <param name="shape">The cache.</param>
    /// <param name="task">The sequence and the KV head.</param>
    /// <param name="start">First position of the tile.</param>
    /// <param name="first">First position to load; columns before it hold no meaning.</param>
    /// <param name="end">Position after the last to load; columns from it on hold no meaning.</param>
    /// <param name="keys">Receives <c>[head dim][32]</c>.</param>
    /// <param name="values">Receives <c>[panel][32][32]</c>.</param>
    /// <param name="words">Room for <c>[head dim][32]</c>.</param>
    public static void Load(
        in AttentionShape shape, in AttentionTask task, int start, int first, int end, float* keys, float* values, uint* words)
    {
        uint** rows = stackalloc uint*[TileKeys];
        shape.FindKeys(task, first, end, rows + (first - start));

        // Elsewhere any address that may be read.
        new Span<nint>(rows, first - start).Fill((nint)rows[first - start]);
        new Span<nint>(rows + (end - start), start + TileKeys - end).Fill((nint)rows[first - start]);

        byte** tokens = (byte**)rows + (first - start);
        values += (first - start) * Panel.Width;
        switch (shape.Dtype)
        {
            case KvDtype.F32:
                Transpose(rows, shape.HeadDim, (uint*)keys);
                CopyValues(tokens, end - first, shape.ValueOffset, shape.HeadDim, values);
                break;
            case KvDtype.BF16:
                // Two elements a word: words change places first, then are taken apart.
                Transpose(rows, shape.HeadDim / 2, words);
                Split(words, keys, shape.HeadDim / 2);
                WidenValues(tokens, end - first, shape.ValueOffset, shape.HeadDim, values);
                break;
            default:
                ReadValues(tokens, end - first, shape.ValueOffset, shape.HeadDim, values);
                ReadKeys(rows, first - start, end - start, shape.HeadDim, (float*)words);
                Transpose(rows, shape.HeadDim, (uint*)keys);
                break;
        }
    }

    // Widened first; the addresses become those of the singles.
    private static void ReadKeys(uint** rows, int first, int end, int headDim, float* singles)
    {
        for (int i = first; i < end; i++)
        {
            float* row = singles + (i * headDim);
            Int8Head<S, V>.Read((byte*)rows[i], 0, headDim, row);
            rows[i] = (uint*)row;
        }

        new Span<nint>(rows, first).Fill((nint)rows[first]);
        new Span<nint>(rows + end, TileKeys - end).Fill((nint)rows[first]);
    }

    private static void ReadValues(byte** rows, int count, nint offset, int headDim, float* destination)
    {
        for (int first = 0; first < headDim; first += Panel.Width)
        {
            int end = Math.Min(first + Panel.Width, headDim);
            for (int row = 0; row < count; row++)
            {
                Int8Head<S, V>.Read(rows[row] + offset, first, end, destination + (row * Panel.Width));
            }

            destination += Panel.Width * TileKeys;
        }
    }

    private static void Transpose(uint** rows, int words, uint* destination)
    {
        int word = 0;
        for (; word + S.Lanes <= words; word += S.Lanes)
        {
            for (int column = 0; column < TileKeys; column += S.Lanes)
            {
                S.TransposeWords(rows + column, word, destination + (word * TileKeys) + column, TileKeys);
            }
        }

        for (; word < words; word++)
        {
            for (int column = 0; column < TileKeys; column++)
            {
                destination[(word * TileKeys) + column] = rows[column][word];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Split(uint* words, float* keys, int count)
    {
        for (; count > 0; count--)
        {
            for (int column = 0; column < TileKeys; column += S.Lanes)
            {
                S.Store(keys + column, S.LowHalves((byte*)(words + column)));
                S.Store(keys + TileKeys + column, S.HighHalves((byte*)(words + column)));
            }

            words += TileKeys;
            keys += 2 * TileKeys;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyValues(byte** rows, int count, nint offset, int headDim, float* destination)
    {
        int first = 0;
        for (; first + Panel.Width <= headDim; first += Panel.Width)
        {
            // Whole panels without inner bounds.
            float* to = destination;
            for (int row = 0; row < count; row++)
            {
                float* source = (float*)(rows[row] + offset) + first;
                for (int i = 0; i < Panel.Width; i += 2 * S.Lanes)
                {
                    S.Store(to + i, S.Load(source + i));
                    S.Store(to + i + S.Lanes, S.Load(source + i + S.Lanes));
                }

                to += Panel.Width;
            }

            destination += Panel.Width * TileKeys;
        }

        for (int row = 0; row < count; row++)
        {
            float* source = (float*)(rows[row] + offset) + first;
            for (int i = 0; i < headDim - first; i++)
            {
                destination[(row * Panel.Width) + i] = source[i];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WidenValues(byte** rows, int count, nint offset, int headDim, float* destination)
    {
        int first = 0;
        for (; first + Panel.Width <= headDim; first += Panel.Width)
        {
            // Whole panels without inner bounds.
            float* to = destination;
            for (int row = 0; row < count; row++)
            {
                ushort* source = (ushort*)(rows[row] + offset) + first;
                for (int i = 0; i < Panel.Width; i += 2 * S.Lanes)
                {
                    S.Store(to + i, S.Widen(source + i));
                    S.Store(to + i + S.Lanes, S.Widen(source + i + S.Lanes));
                }

                to += Panel.Width;
            }

            destination += Panel.Width * TileKeys;
        }

        for (int row = 0; row < count; row++)
        {
            ushort* source = (ushort*)(rows[row] + offset) + first;
            for (int i = 0; i < headDim - first; i++)
            {
                destination[(row * Panel.Width) + i] = Bfloat16.ToSingle(source[i]);
            }
        }
    }
}
