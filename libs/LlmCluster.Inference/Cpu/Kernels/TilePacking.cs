using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>Brings rows into the order in which a tile reads them. Moves numbers only.</summary>
internal static unsafe class TilePacking
{
    /// <summary>Writes <c>destination[k][row] = source[row][k]</c>.</summary>
    /// <param name="source">First row.</param>
    /// <param name="sourceStride">Floats from one row to the next.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="depth">Floats of each row.</param>
    /// <param name="destination">Receives <c>depth</c> runs of <paramref name="destinationStride"/> floats.</param>
    /// <param name="destinationStride">Floats from one k to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose(float* source, nint sourceStride, int rows, int depth, float* destination, nint destinationStride)
    {
        if (rows == 1 && destinationStride == 1)
        {
            Unsafe.CopyBlock(destination, source, (uint)depth * sizeof(float));
            return;
        }

        int row = 0;
        if (Sse.IsSupported)
        {
            for (; row + 4 <= rows; row += 4)
            {
                TransposeFour(source + (row * sourceStride), sourceStride, depth, destination + row, destinationStride);
            }
        }

        for (; row < rows; row++)
        {
            float* from = source + (row * sourceStride);
            float* to = destination + row;
            for (int k = 0; k < depth; k++)
            {
                *to = from[k];
                to += destinationStride;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TransposeFour(float* source, nint sourceStride, int depth, float* destination, nint destinationStride)
    {
        float* s0 = source;
        float* s1 = s0 + sourceStride;
        float* s2 = s1 + sourceStride;
        float* s3 = s2 + sourceStride;
        int k = 0;
        for (; k + 4 <= depth; k += 4)
        {
            Vector128<float> a = Vector128.Load(s0 + k);
            Vector128<float> b = Vector128.Load(s1 + k);
            Vector128<float> c = Vector128.Load(s2 + k);
            Vector128<float> d = Vector128.Load(s3 + k);
            Vector128<float> ab = Sse.UnpackLow(a, b);
            Vector128<float> cd = Sse.UnpackLow(c, d);
            Sse.MoveLowToHigh(ab, cd).Store(destination);
            Sse.MoveHighToLow(cd, ab).Store(destination + destinationStride);
            ab = Sse.UnpackHigh(a, b);
            cd = Sse.UnpackHigh(c, d);
            destination += 2 * destinationStride;
            Sse.MoveLowToHigh(ab, cd).Store(destination);
            Sse.MoveHighToLow(cd, ab).Store(destination + destinationStride);
            destination += 2 * destinationStride;
        }

        for (; k < depth; k++)
        {
            destination[0] = s0[k];
            destination[1] = s1[k];
            destination[2] = s2[k];
            destination[3] = s3[k];
            destination += destinationStride;
        }
    }
}
