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
    public static int PanelsAtOnce(in GemmCall call)
    {
        if (call.Weights.Group > 1)
        {
            return IsFew(call) ? call.Weights.Group : 1;
        }

        return call.Rows <= S.WideRows && !call.Weights.IsQuantized && !ReadsPanelByPanel(call) ? GemmWideTile<S, V>.Panels : 1;
    }

    /// <summary>Panels whose steps are to take turns.</summary>
    /// <param name="dtype">Number format of the weights.</param>
    /// <param name="askAhead">Whether few rows will ask memory for weights ahead.</param>
    public static int PanelGroup(WeightDtype dtype, bool askAhead) =>
        dtype == WeightDtype.BF16 && !askAhead && S.Lanes == Panel.Half ? BF16Pair<S, V>.Group : 1;

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
            case WeightDtype.BF16 when call.Weights.Group > 1:
                Pairs(call, first, end, accumulate, scratch);
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
        else if (IsFew(call))
        {
            Few<FewF>(call, first, end, accumulate);
        }
        else
        {
            Many<F>(call, first, end, accumulate, scratch);
        }
    }

    private static bool IsFew(in GemmCall call) => call.Rows <= FewTiles * S.TileRows;

    // From a tile of rows on, arithmetic takes longer than memory, and goes panel by panel.
    private static void Pairs(in GemmCall call, int first, int end, bool accumulate, byte* scratch)
    {
        if (!IsFew(call))
        {
            Many<BF16Pair<S, V>>(call, first, end, accumulate, scratch);
        }
        else if (call.Rows >= S.TileRows)
        {
            Few<BF16Pair<S, V>>(call, first, end, accumulate);
        }
        else if (call.AskAhead || call.Rows > GemmPairTile<S, V>.MostRows)
        {
            PairByPair<BF16Pair<S, V>>(call, first, end, accumulate);
        }
        else
        {
            PairByPair<InOrder<BF16Pair<S, V>, V>>(call, first, end, accumulate);
        }
    }

    // Single panels where a range begins or ends within a pair.
    private static void PairByPair<F>(in GemmCall call, int first, int end, bool accumulate)
        where F : struct, IPanelFormat<V>
    {
        int panel = Math.Min((first + F.Group - 1) / F.Group * F.Group, end);
        PanelByPanel<F>(call, first, panel, accumulate);
        PackedMatrix weights = call.Weights;
        for (; panel + F.Group <= end; panel += F.Group)
        {
            for (int row = 0; row < call.Rows; row += GemmPairTile<S, V>.MostRows)
            {
                int rows = Math.Min(GemmPairTile<S, V>.MostRows, call.Rows - row);
                GemmPairTile<S, V>.Run<F>(rows, call.Left + row, call.Rows, weights.PanelAt(panel), weights.Depth, Result(call, row, panel), call.Stride, accumulate);
            }
        }

        PanelByPanel<F>(call, panel, end, accumulate);
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
                call.Rows, call.Left, weights.PanelAt(panel), weights.PanelBytes, weights.Depth, Result(call, 0, panel), call.Stride, accumulate);
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
                call.Rows, call.Left, weights.PanelAt(panel), weights.Depth, Result(call, 0, panel), call.Stride, accumulate);
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
                byte* block = weights.PanelAt(panel) + ((nint)k * F.Stride);
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
                byte* block = weights.PanelAt(panel) + ((nint)k * F.Stride);
                byte* next = weights.PanelAt(panel + 1) + ((nint)k * F.Stride);
                nint lineStep = F.Group * Panel.Line;
                nint nextLines = panel + 1 < end ? depth * F.Stride / lineStep : 0;
                if (scratch != null)
                {
                    Expand<F>(block, (float*)scratch, depth);
                    block = scratch;
                }

                Tiles(call, block, panel, k, depth, accumulate || k > 0, next, nextLines, lineStep);
            }
        }
    }

    // The block that comes next is asked for meanwhile, a slice by each tile.
    private static void Tiles(in GemmCall call, byte* block, int panel, int k, int depth, bool accumulate, byte* next, nint nextLines, nint lineStep)
    {
        for (int row = 0; row < call.Rows; row += S.TileRows)
        {
            int rows = Math.Min(S.TileRows, call.Rows - row);
            float* nextSums = row + rows < call.Rows ? Result(call, row + rows, panel) : Result(call, 0, panel + 1);
            nint slice = nextLines * row / call.Rows;
            nint sliceEnd = nextLines * (row + rows) / call.Rows;
            GemmTile<S, V>.Run<InOrder<F32Panel<S, V>, V>, PackedLeft, NextTile<S, V>>(
                rows,
                Left(call, row, rows, k),
                block,
                depth,
                Result(call, row, panel),
                call.Stride,
                accumulate,
                new NextTile<S, V>(nextSums, call.Stride, next + (slice * lineStep), sliceEnd - slice, lineStep));
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
                    weights.PanelAt(panel),
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
