using System.Runtime.CompilerServices;
using LlmCluster.Inference.KvCache;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// Keys, or values, of one head in one block, in the form that <see cref="KvLayout"/> describes. Writes those of one token, rounded to the cache's number format.
/// </summary>
internal static unsafe class HeadBlock
{
    private const int PieceElements = 64;

    /// <summary>Where the integers of <see cref="KvDtype.Int8"/> begin, after a scale for each token.</summary>
    public static int IntegersAt(int blockSize) => blockSize * sizeof(float);

    /// <summary>Writes a token's key, whose elements stand a block's tokens apart.</summary>
    /// <param name="layout">The cache.</param>
    /// <param name="head">The head's keys in the block.</param>
    /// <param name="slot">The token's place in the block.</param>
    /// <param name="key">The numbers, <see cref="KvLayout.HeadDim"/> of them.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void WriteKey(KvLayout layout, byte* head, int slot, float* key)
    {
        int count = layout.HeadDim;
        nint step = layout.BlockSize;
        switch (layout.Dtype)
        {
            case KvDtype.F32:
                float* singles = (float*)head + slot;
                for (int i = 0; i < count; i++)
                {
                    singles[i * step] = key[i];
                }

                break;
            case KvDtype.BF16:
                ushort* halves = (ushort*)head + slot;
                ushort* piece = stackalloc ushort[PieceElements];
                for (int first = 0; first < count; first += PieceElements)
                {
                    int elements = Math.Min(PieceElements, count - first);
                    Bfloat16.Narrow(key + first, piece, elements);
                    for (int i = 0; i < elements; i++)
                    {
                        *halves = piece[i];
                        halves += step;
                    }
                }

                break;
            default:
                float scale = Scale(key, count);
                ((float*)head)[slot] = scale;
                sbyte* integers = (sbyte*)(head + IntegersAt(layout.BlockSize)) + slot;
                for (int i = 0; i < count; i++)
                {
                    integers[i * step] = ToInteger(key[i], scale);
                }

                break;
        }
    }

    /// <summary>Writes a token's value, whose elements stand side by side.</summary>
    /// <param name="layout">The cache.</param>
    /// <param name="head">The head's values in the block.</param>
    /// <param name="slot">The token's place in the block.</param>
    /// <param name="value">The numbers, <see cref="KvLayout.HeadDim"/> of them.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void WriteValue(KvLayout layout, byte* head, int slot, float* value)
    {
        int count = layout.HeadDim;
        nint offset = (nint)slot * count;
        switch (layout.Dtype)
        {
            case KvDtype.F32:
                Unsafe.CopyBlock((float*)head + offset, value, (uint)count * sizeof(float));
                break;
            case KvDtype.BF16:
                Bfloat16.Narrow(value, (ushort*)head + offset, count);
                break;
            default:
                float scale = Scale(value, count);
                ((float*)head)[slot] = scale;
                sbyte* integers = (sbyte*)(head + IntegersAt(layout.BlockSize)) + offset;
                for (int i = 0; i < count; i++)
                {
                    integers[i] = ToInteger(value[i], scale);
                }

                break;
        }
    }

    // The largest number becomes 127 or -127.
    private static float Scale(float* numbers, int count)
    {
        float largest = 0;
        for (int i = 0; i < count; i++)
        {
            largest = MathF.Max(largest, MathF.Abs(numbers[i]));
        }

        return largest / sbyte.MaxValue;
    }

    // Rounding may pass the limit when the scale is subnormal.
    private static sbyte ToInteger(float number, float scale) =>
        scale == 0 ? (sbyte)0 : (sbyte)Math.Clamp(MathF.Round(number / scale), -sbyte.MaxValue, sbyte.MaxValue);
}
