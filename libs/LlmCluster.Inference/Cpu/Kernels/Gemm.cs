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
    /// <summary>
    /// Steps in k of one block: 32 columns of it take 128 KiB as singles, a small part of the second-level cache. Between two blocks, sums go to memory and back, which costs
    /// more than a longer block.
    /// </summary>
    public const int BlockDepth = 1024;

    /// <summary>Bytes of scratch that each thread needs.</summary>
    public const int ScratchBytes = BlockDepth * Panel.Width * sizeof(float);

    /// <summary>Up to so many tiles, widening a block of bfloat16 for each of them costs no more than doing so once.</summary>
    public const int FewTiles = 3;

    /// <summary>Panels that are computed side by side: ranges of so many are faster than others.</summary>
    public static int PanelsAtOnce(in GemmCall call) =>
        call.Rows <= S.WideRows && !call.Weights.IsQuantized && !ReadsPanelByPanel(call) ? GemmWideTile<S, V>.Panels : 1;

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
        switch (call.Weights.Dtype)
        {
            case WeightDtype.F32:
                Run<F32Panel<S, V>, InOrder<F32Panel<S, V>, V>>(call, first, end, accumulate, null);
                break;
            case WeightDtype.BF16:
                Run<BF16Panel<S, V>, BF16Panel<S, V>>(call, first, end, accumulate, scratch);
                break;
            case WeightDtype.Q8:
                Quantized<Q8Panel<S, V>>(call, first, end, accumulate);
                break;
            case WeightDtype.Q4:
                Quantized<Q4Panel<S, V>>(call, first, end, accumulate);
                break;
            default:
                throw new InvalidOperationException($"There is no product with weights in {call.Weights.Dtype}.");
        }
    }

    // The format comes twice: a few tiles wait for memory less than a few rows do, and those of singles are faster when they don't ask ahead.
    // With scratch, what is not singles is widened once for many tiles.
    private static void Run<F, FewF>(in GemmCall call, int first, int end, bool accumulate, byte* scratch)
        where F : struct, IPanelFormat<V>
        where FewF : struct, IPanelFormat<V>
    {
        if (call.Rows <= S.WideRows)
        {
            Wide<F>(call, first, end, accumulate);
        }
        else if (call.Rows <= FewTiles * S.TileRows)
        {
            Few<FewF>(call, first, end, accumulate);
        }
        else
        {
            Many<F>(call, first, end, accumulate, scratch);
        }
    }

    // A processor that reads ahead by itself does so best along a single panel. With two or three rows a panel takes longer, and several side by side are faster.
    private static bool ReadsPanelByPanel(in GemmCall call) => !call.AskAhead && call.Rows == 1 && S.Lanes == Panel.Half;

    private static void Wide<F>(in GemmCall call, int first, int end, bool accumulate)
        where F : struct, IPanelFormat<V>
    {
        if (ReadsPanelByPanel(call))
        {
            PanelByPanel<InOrder<F, V>>(call, first, end, accumulate);
        }
        else if (call.AskAhead)
        {
            WideTiles<F>(call, first, end, accumulate);
        }
        else
        {
            WideTiles<InOrder<F, V>>(call, first, end, accumulate);
        }
    }

    private static void WideTiles<F>(in GemmCall call, int first, int end, bool accumulate)
        where F : struct, IPanelFormat<V>
    {
        PackedMatrix weights = call.Weights;
        int panel = first;
        for (; panel + GemmWideTile<S, V>.Panels <= end; panel += GemmWideTile<S, V>.Panels)
        {
            GemmWideTile<S, V>.Run<F>(
                call.Rows, call.Left, weights.Pointer + (panel * weights.PanelBytes), weights.PanelBytes, weights.Depth, Result(call, 0, panel), call.Stride, accumulate);
        }

        PanelByPanel<F>(call, panel, end, accumulate);
    }

    private static void PanelByPanel<F>(in GemmCall call, int first, int end, bool accumulate)
        where F : struct, IPanelFormat<V>
    {
        PackedMatrix weights = call.Weights;
        for (int panel = first; panel < end; panel++)
        {
            GemmTile<S, V>.Run<F, PackedLeft>(
                call.Rows, call.Left, weights.Pointer + (panel * weights.PanelBytes), weights.Depth, Result(call, 0, panel), call.Stride, accumulate);
        }
    }

    private static void Few<F>(in GemmCall call, int first, int end, bool accumulate)
        where F : struct, IPanelFormat<V>
    {
        PackedMatrix weights = call.Weights;
        for (int k = 0; k < weights.Depth; k += BlockDepth)
        {
            int depth = Math.Min(BlockDepth, weights.Depth - k);
            for (int panel = first; panel < end; panel++)
            {
                byte* block = weights.Pointer + (panel * weights.PanelBytes) + ((nint)k * F.Stride);
                for (int row = 0; row < call.Rows; row += S.TileRows)
                {
                    int rows = Math.Min(S.TileRows, call.Rows - row);
                    GemmTile<S, V>.Run<F, PackedLeft>(rows, Left(call, row, rows, k), block, depth, Result(call, row, panel), call.Stride, accumulate || k > 0);
                }
            }
        }
    }

    private static void Many<F>(in GemmCall call, int first, int end, bool accumulate, byte* scratch)
        where F : struct, IPanelFormat<V>
    {
        PackedMatrix weights = call.Weights;
        for (int k = 0; k < weights.Depth; k += BlockDepth)
        {
            int depth = Math.Min(BlockDepth, weights.Depth - k);
            for (int panel = first; panel < end; panel++)
            {
                byte* block = weights.Pointer + (panel * weights.PanelBytes) + ((nint)k * F.Stride);
                byte* next = block + weights.PanelBytes;
                nint nextBytes = panel + 1 < end ? (nint)depth * F.Stride : 0;
                if (scratch != null)
                {
                    Expand<F>(block, (float*)scratch, depth);
                    block = scratch;
                }

                Tiles(call, block, panel, k, depth, accumulate || k > 0, next, nextBytes);
            }
        }
    }

    // The block that comes next is asked for meanwhile, a slice by each tile.
    private static void Tiles(in GemmCall call, byte* block, int panel, int k, int depth, bool accumulate, byte* next, nint nextBytes)
    {
        for (int row = 0; row < call.Rows; row += S.TileRows)
        {
            int rows = Math.Min(S.TileRows, call.Rows - row);
            float* nextSums = row + rows < call.Rows ? Result(call, row + rows, panel) : Result(call, 0, panel + 1);
            nint slice = nextBytes * row / call.Rows;
            nint sliceEnd = nextBytes * (row + rows) / call.Rows;
            GemmTile<S, V>.Run<InOrder<F32Panel<S, V>, V>, PackedLeft, NextTile<S, V>>(
                rows,
                Left(call, row, rows, k),
                block,
                depth,
                Result(call, row, panel),
                call.Stride,
                accumulate,
                new NextTile<S, V>(nextSums, call.Stride, next + slice, sliceEnd - slice));
        }
    }

    // Widening integers takes two operations for many products: a panel is widened for each tile anew.
    private static void Quantized<F>(in GemmCall call, int first, int end, bool accumulate)
        where F : struct, IQuantizedPanel<V>
    {
        PackedMatrix weights = call.Weights;
        for (int panel = first; panel < end; panel++)
        {
            for (int row = 0; row < call.Rows; row += S.TileRows)
            {
                QuantizedTile<S, V>.Run<F>(
                    Math.Min(S.TileRows, call.Rows - row),
                    call.Left + ((nint)row * weights.LeftWidth),
                    weights.Pointer + (panel * weights.PanelBytes),
                    QuantizedGroup.Count(weights.Depth),
                    Result(call, row, panel),
                    call.Stride,
                    accumulate);
            }
        }
    }

    private static float* Left(in GemmCall call, int row, int rows, int k) => call.Left + ((nint)row * call.Weights.Depth) + ((nint)k * rows);

    private static float* Result(in GemmCall call, int row, int panel) => call.Result + ((nint)row * call.Stride) + (panel * Panel.Width);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Expand<F>(byte* source, float* destination, int depth)
        where F : struct, IPanelFormat<V>
    {
        for (; depth > 0; depth--)
        {
            for (int column = 0; column < Panel.Half; column += S.Lanes)
            {
                S.Store(destination + column, F.Low(source + (column * F.ColumnBytes)));
                S.Store(destination + column + Panel.Half, F.High(source + (column * F.ColumnBytes)));
            }

            source += F.Stride;
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
