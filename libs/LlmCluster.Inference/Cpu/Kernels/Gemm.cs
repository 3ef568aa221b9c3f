using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// The products of a forward pass. Few rows stream the weights through registers once; many rows run block by block
/// of k, so that a block of the weights stays in the cache under all rows. Neither choice changes a bit.
/// </summary>
internal static unsafe class Gemm<S, V>
    where S : struct, ISimd<V>
    where V : struct
{
    /// <summary>Steps in k of one block: 32 columns of it take 96 KiB as singles, a small part of the second-level cache.</summary>
    public const int BlockDepth = 768;

    /// <summary>Bytes of scratch that each thread needs.</summary>
    public const int ScratchBytes = BlockDepth * Panel.Width * sizeof(float);

    // From so many tiles on, widening a block of bfloat16 once costs less than widening it for each tile.
    private const int TilesToExpand = 3;

    /// <summary>Computes the columns of panels from <paramref name="first"/> to before <paramref name="end"/>.</summary>
    /// <param name="call">The product.</param>
    /// <param name="first">First panel.</param>
    /// <param name="end">Panel after the last.</param>
    /// <param name="scratch">At least <see cref="ScratchBytes"/> of the calling thread's own.</param>
    public static void Run(in GemmCall call, int first, int end, byte* scratch)
    {
        if (call.Bias != null)
        {
            FillWithBias(call, first, end);
        }

        bool accumulate = call.Accumulate || call.Bias != null;
        bool bf16 = call.Weights.Dtype == WeightDtype.BF16;
        if (call.Rows <= S.WideRows)
        {
            if (bf16)
            {
                Wide<BF16Panel<S, V>>(call, first, end, accumulate);
            }
            else
            {
                Wide<F32Panel<S, V>>(call, first, end, accumulate);
            }
        }
        else if (bf16)
        {
            if (call.Rows > TilesToExpand * S.TileRows)
            {
                BlockedExpanded(call, first, end, accumulate, scratch);
            }
            else
            {
                Blocked<BF16Panel<S, V>>(call, first, end, accumulate);
            }
        }
        else
        {
            Blocked<F32Panel<S, V>>(call, first, end, accumulate);
        }
    }

    private static void Wide<F>(in GemmCall call, int first, int end, bool accumulate)
        where F : struct, IPanelFormat<V>
    {
        PackedMatrix weights = call.Weights;
        nint panelBytes = weights.PanelBytes;
        int panel = first;
        for (; panel + GemmWideTile<S, V>.Panels <= end; panel += GemmWideTile<S, V>.Panels)
        {
            GemmWideTile<S, V>.Run<F>(
                call.Rows, call.Left, weights.Pointer + (panel * panelBytes), panelBytes, weights.Depth, call.Result + (panel * Panel.Width), call.Stride, accumulate);
        }

        for (; panel < end; panel++)
        {
            GemmTile<S, V>.Run<F, PackedLeft>(
                call.Rows, call.Left, weights.Pointer + (panel * panelBytes), weights.Depth, call.Result + (panel * Panel.Width), call.Stride, accumulate);
        }
    }

    private static void Blocked<F>(in GemmCall call, int first, int end, bool accumulate)
        where F : struct, IPanelFormat<V>
    {
        PackedMatrix weights = call.Weights;
        for (int k = 0; k < weights.Depth; k += BlockDepth)
        {
            int depth = Math.Min(BlockDepth, weights.Depth - k);
            for (int panel = first; panel < end; panel++)
            {
                byte* block = weights.Pointer + (panel * weights.PanelBytes) + ((nint)k * F.Stride);
                Tiles<F>(call, block, panel, k, depth, accumulate || k > 0);
            }
        }
    }

    private static void BlockedExpanded(in GemmCall call, int first, int end, bool accumulate, byte* scratch)
    {
        PackedMatrix weights = call.Weights;
        for (int k = 0; k < weights.Depth; k += BlockDepth)
        {
            int depth = Math.Min(BlockDepth, weights.Depth - k);
            for (int panel = first; panel < end; panel++)
            {
                Expand(weights.Pointer + (panel * weights.PanelBytes) + ((nint)k * BF16Panel<S, V>.Stride), (float*)scratch, depth);
                Tiles<F32Panel<S, V>>(call, scratch, panel, k, depth, accumulate || k > 0);
            }
        }
    }

    private static void Tiles<F>(in GemmCall call, byte* block, int panel, int k, int depth, bool accumulate)
        where F : struct, IPanelFormat<V>
    {
        int fullDepth = call.Weights.Depth;
        float* result = call.Result + (panel * Panel.Width);
        for (int row = 0; row < call.Rows; row += S.TileRows)
        {
            int rows = Math.Min(S.TileRows, call.Rows - row);
            float* left = call.Left + ((nint)row * fullDepth) + ((nint)k * rows);
            GemmTile<S, V>.Run<F, PackedLeft>(rows, left, block, depth, result + ((nint)row * call.Stride), call.Stride, accumulate);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Expand(byte* source, float* destination, int depth)
    {
        for (; depth > 0; depth--)
        {
            for (int column = 0; column < Panel.Half; column += S.Lanes)
            {
                S.Store(destination + column, BF16Panel<S, V>.Low(source + (column * sizeof(float))));
                S.Store(destination + column + Panel.Half, BF16Panel<S, V>.High(source + (column * sizeof(float))));
            }

            source += BF16Panel<S, V>.Stride;
            destination += Panel.Width;
        }
    }

    private static void FillWithBias(in GemmCall call, int first, int end)
    {
        int offset = first * Panel.Width;
        uint bytes = (uint)((end - first) * Panel.Width * sizeof(float));
        for (int row = 0; row < call.Rows; row++)
        {
            Unsafe.CopyBlock(call.Result + ((nint)row * call.Stride) + offset, call.Bias + offset, bytes);
        }
    }
}
