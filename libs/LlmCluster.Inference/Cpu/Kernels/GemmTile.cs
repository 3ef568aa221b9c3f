using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// The register tile: rows × 2 vectors of C, summed over k one step after the other with one multiply-add a step. That
/// order is the same for every number of rows, and a sum that is stored and loaded between two ranges of k keeps its
/// bits, so an output's bits depend on its row and column alone.
/// </summary>
internal static unsafe class GemmTile<S, V>
    where S : struct, ISimd<V>
    where V : struct
{
    // Two steps between jumps: where a jump happens to lie in memory may cost as much as half a step.
    private const int StepsPerJump = 2;

    /// <summary>Runs a tile of 1 to 12 rows over all 32 columns of a panel.</summary>
    /// <param name="rows">Rows of the tile.</param>
    /// <param name="left">Left operand, laid out as <typeparamref name="L"/> says.</param>
    /// <param name="panel">Right operand, in the format of <typeparamref name="F"/>.</param>
    /// <param name="depth">Steps in k.</param>
    /// <param name="result">First element of C.</param>
    /// <param name="stride">Floats from one row of C to the next.</param>
    /// <param name="accumulate">Whether the sums begin with what C holds instead of zero.</param>
    public static void Run<F, L>(int rows, float* left, byte* panel, int depth, float* result, int stride, bool accumulate)
        where F : struct, IPanelFormat<V>
        where L : struct, ILeftLayout =>
        Run<F, L, NothingAhead>(rows, left, panel, depth, result, stride, accumulate, default);

    /// <summary>The same, and asks memory meanwhile for what comes after the tile.</summary>
    /// <param name="rows">Rows of the tile.</param>
    /// <param name="left">Left operand, laid out as <typeparamref name="L"/> says.</param>
    /// <param name="panel">Right operand, in the format of <typeparamref name="F"/>.</param>
    /// <param name="depth">Steps in k.</param>
    /// <param name="result">First element of C.</param>
    /// <param name="stride">Floats from one row of C to the next.</param>
    /// <param name="accumulate">Whether the sums begin with what C holds instead of zero.</param>
    /// <param name="ahead">What it asks for.</param>
    public static void Run<F, L, A>(int rows, float* left, byte* panel, int depth, float* result, int stride, bool accumulate, A ahead)
        where F : struct, IPanelFormat<V>
        where L : struct, ILeftLayout
        where A : struct, ITileAhead
    {
        for (int column = 0; column < Panel.Half; column += S.Lanes)
        {
            byte* right = panel + (column * F.ColumnBytes);
            float* c = result + column;
            switch (rows)
            {
                case 1:
                    Tile<F, L, Rows1, A>(left, left, right, depth, c, stride, accumulate, ahead);
                    break;
                case 2:
                    Tile<F, L, Rows2, A>(left, left, right, depth, c, stride, accumulate, ahead);
                    break;
                case 3:
                    Tile<F, L, Rows3, A>(left, left, right, depth, c, stride, accumulate, ahead);
                    break;
                case 4:
                    Tile<F, L, Rows4, A>(left, left, right, depth, c, stride, accumulate, ahead);
                    break;
                case 5:
                    Tile<F, L, Rows5, A>(left, left, right, depth, c, stride, accumulate, ahead);
                    break;
                case 6:
                    Tile<F, L, Rows6, A>(left, left, right, depth, c, stride, accumulate, ahead);
                    break;
                case 7:
                    Tile<F, L, Rows7, A>(left, left, right, depth, c, stride, accumulate, ahead);
                    break;
                case 8:
                    Tile<F, L, Rows8, A>(left, left, right, depth, c, stride, accumulate, ahead);
                    break;
                case 9:
                    Tile<F, L, Rows9, A>(left, left, right, depth, c, stride, accumulate, ahead);
                    break;
                case 10:
                    Tile<F, L, Rows10, A>(left, left, right, depth, c, stride, accumulate, ahead);
                    break;
                case 11:
                    Tile<F, L, Rows11, A>(left, left, right, depth, c, stride, accumulate, ahead);
                    break;
                case 12:
                    Tile<F, L, Rows12, A>(left, left, right, depth, c, stride, accumulate, ahead);
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(rows), rows, "A tile has 1 to 12 rows.");
            }
        }
    }

    // Compiled at full optimisation at once: the first prompt must not run the unoptimised tier.
    // The left operand comes under two names, so that the compiler doesn't merge reads that Step() wants twice.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<F, L, R, A>(float* left, float* again, byte* right, nint depth, float* result, nint stride, bool accumulate, A ahead)
        where F : struct, IPanelFormat<V>
        where L : struct, ILeftLayout
        where R : struct, IRowCount
        where A : struct, ITileAhead
    {
        V low0 = default, high0 = default;
        V low1 = default, high1 = default;
        V low2 = default, high2 = default;
        V low3 = default, high3 = default;
        V low4 = default, high4 = default;
        V low5 = default, high5 = default;
        V low6 = default, high6 = default;
        V low7 = default, high7 = default;
        V low8 = default, high8 = default;
        V low9 = default, high9 = default;
        V low10 = default, high10 = default;
        V low11 = default, high11 = default;
        float* c = result;
        if (accumulate)
        {
            low0 = S.Load(c);
            high0 = S.Load(c + Panel.Half);

            if (R.Value > 1)
            {
                c += stride;
                low1 = S.Load(c);
                high1 = S.Load(c + Panel.Half);
            }

            if (R.Value > 2)
            {
                c += stride;
                low2 = S.Load(c);
                high2 = S.Load(c + Panel.Half);
            }

            if (R.Value > 3)
            {
                c += stride;
                low3 = S.Load(c);
                high3 = S.Load(c + Panel.Half);
            }

            if (R.Value > 4)
            {
                c += stride;
                low4 = S.Load(c);
                high4 = S.Load(c + Panel.Half);
            }

            if (R.Value > 5)
            {
                c += stride;
                low5 = S.Load(c);
                high5 = S.Load(c + Panel.Half);
            }

            if (R.Value > 6)
            {
                c += stride;
                low6 = S.Load(c);
                high6 = S.Load(c + Panel.Half);
            }

            if (R.Value > 7)
            {
                c += stride;
                low7 = S.Load(c);
                high7 = S.Load(c + Panel.Half);
            }

            if (R.Value > 8)
            {
                c += stride;
                low8 = S.Load(c);
                high8 = S.Load(c + Panel.Half);
            }

            if (R.Value > 9)
            {
                c += stride;
                low9 = S.Load(c);
                high9 = S.Load(c + Panel.Half);
            }

            if (R.Value > 10)
            {
                c += stride;
                low10 = S.Load(c);
                high10 = S.Load(c + Panel.Half);
            }

            if (R.Value > 11)
            {
                c += stride;
                low11 = S.Load(c);
                high11 = S.Load(c + Panel.Half);
            }
        }

        nint each = depth / A.Parts / StepsPerJump * StepsPerJump;
        for (int part = 1; part <= A.Parts; part++)
        {
            ahead.Ask(part);
            nint steps = part < A.Parts ? each : depth;
            depth -= steps;
            for (; steps >= StepsPerJump; steps -= StepsPerJump)
            {
                Step<F, L, R>(
                    left, again, right, 0,
                    ref low0, ref high0, ref low1, ref high1, ref low2, ref high2, ref low3, ref high3,
                    ref low4, ref high4, ref low5, ref high5, ref low6, ref high6, ref low7, ref high7,
                    ref low8, ref high8, ref low9, ref high9, ref low10, ref high10, ref low11, ref high11);
                Step<F, L, R>(
                    left, again, right, 1,
                    ref low0, ref high0, ref low1, ref high1, ref low2, ref high2, ref low3, ref high3,
                    ref low4, ref high4, ref low5, ref high5, ref low6, ref high6, ref low7, ref high7,
                    ref low8, ref high8, ref low9, ref high9, ref low10, ref high10, ref low11, ref high11);
                left += StepsPerJump * L.KStride(R.Value);
                again += StepsPerJump * L.KStride(R.Value);
                right += StepsPerJump * F.Stride;
            }

            // Of the last part alone, one is left at most.
            if (steps > 0)
            {
                Step<F, L, R>(
                    left, again, right, 0,
                    ref low0, ref high0, ref low1, ref high1, ref low2, ref high2, ref low3, ref high3,
                    ref low4, ref high4, ref low5, ref high5, ref low6, ref high6, ref low7, ref high7,
                    ref low8, ref high8, ref low9, ref high9, ref low10, ref high10, ref low11, ref high11);
            }
        }

        c = result;
        S.Store(c, low0);
        S.Store(c + Panel.Half, high0);
        if (R.Value > 1)
        {
            c += stride;
            S.Store(c, low1);
            S.Store(c + Panel.Half, high1);
        }

        if (R.Value > 2)
        {
            c += stride;
            S.Store(c, low2);
            S.Store(c + Panel.Half, high2);
        }

        if (R.Value > 3)
        {
            c += stride;
            S.Store(c, low3);
            S.Store(c + Panel.Half, high3);
        }

        if (R.Value > 4)
        {
            c += stride;
            S.Store(c, low4);
            S.Store(c + Panel.Half, high4);
        }

        if (R.Value > 5)
        {
            c += stride;
            S.Store(c, low5);
            S.Store(c + Panel.Half, high5);
        }

        if (R.Value > 6)
        {
            c += stride;
            S.Store(c, low6);
            S.Store(c + Panel.Half, high6);
        }

        if (R.Value > 7)
        {
            c += stride;
            S.Store(c, low7);
            S.Store(c + Panel.Half, high7);
        }

        if (R.Value > 8)
        {
            c += stride;
            S.Store(c, low8);
            S.Store(c + Panel.Half, high8);
        }

        if (R.Value > 9)
        {
            c += stride;
            S.Store(c, low9);
            S.Store(c + Panel.Half, high9);
        }

        if (R.Value > 10)
        {
            c += stride;
            S.Store(c, low10);
            S.Store(c + Panel.Half, high10);
        }

        if (R.Value > 11)
        {
            c += stride;
            S.Store(c, low11);
            S.Store(c + Panel.Half, high11);
        }
    }

    // One step in k, counted from where the operands point. In every third row a multiply-add reads and spreads a number itself, where it can: that takes one load more, of
    // which there is room for a few, and one instruction less, which counts when two threads share a core.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<F, L, R>(
        float* left, float* again, byte* right, int step,
        ref V low0, ref V high0, ref V low1, ref V high1, ref V low2, ref V high2, ref V low3, ref V high3,
        ref V low4, ref V high4, ref V low5, ref V high5, ref V low6, ref V high6, ref V low7, ref V high7,
        ref V low8, ref V high8, ref V low9, ref V high9, ref V low10, ref V high10, ref V low11, ref V high11)
        where F : struct, IPanelFormat<V>
        where L : struct, ILeftLayout
        where R : struct, IRowCount
    {
        int at = step * L.KStride(R.Value);
        F.Prefetch(right + (step * F.Stride));
        V low = F.Low(right + (step * F.Stride));
        V high = F.High(right + (step * F.Stride));
        V x = S.SplatAt(left + at);
        low0 = S.MultiplyAdd(x, low, low0);
        x = S.SplatAgain(x, again + at);
        high0 = S.MultiplyAdd(x, high, high0);

        if (R.Value > 1)
        {
            x = S.SplatAt(left + (at + (1 * L.RowStride(R.Value))));
            low1 = S.MultiplyAdd(x, low, low1);
            high1 = S.MultiplyAdd(x, high, high1);
        }

        if (R.Value > 2)
        {
            x = S.SplatAt(left + (at + (2 * L.RowStride(R.Value))));
            low2 = S.MultiplyAdd(x, low, low2);
            high2 = S.MultiplyAdd(x, high, high2);
        }

        if (R.Value > 3)
        {
            x = S.SplatAt(left + (at + (3 * L.RowStride(R.Value))));
            low3 = S.MultiplyAdd(x, low, low3);
            x = S.SplatAgain(x, again + (at + (3 * L.RowStride(R.Value))));
            high3 = S.MultiplyAdd(x, high, high3);
        }

        if (R.Value > 4)
        {
            x = S.SplatAt(left + (at + (4 * L.RowStride(R.Value))));
            low4 = S.MultiplyAdd(x, low, low4);
            high4 = S.MultiplyAdd(x, high, high4);
        }

        if (R.Value > 5)
        {
            x = S.SplatAt(left + (at + (5 * L.RowStride(R.Value))));
            low5 = S.MultiplyAdd(x, low, low5);
            high5 = S.MultiplyAdd(x, high, high5);
        }

        if (R.Value > 6)
        {
            x = S.SplatAt(left + (at + (6 * L.RowStride(R.Value))));
            low6 = S.MultiplyAdd(x, low, low6);
            x = S.SplatAgain(x, again + (at + (6 * L.RowStride(R.Value))));
            high6 = S.MultiplyAdd(x, high, high6);
        }

        if (R.Value > 7)
        {
            x = S.SplatAt(left + (at + (7 * L.RowStride(R.Value))));
            low7 = S.MultiplyAdd(x, low, low7);
            high7 = S.MultiplyAdd(x, high, high7);
        }

        if (R.Value > 8)
        {
            x = S.SplatAt(left + (at + (8 * L.RowStride(R.Value))));
            low8 = S.MultiplyAdd(x, low, low8);
            high8 = S.MultiplyAdd(x, high, high8);
        }

        if (R.Value > 9)
        {
            x = S.SplatAt(left + (at + (9 * L.RowStride(R.Value))));
            low9 = S.MultiplyAdd(x, low, low9);
            x = S.SplatAgain(x, again + (at + (9 * L.RowStride(R.Value))));
            high9 = S.MultiplyAdd(x, high, high9);
        }

        if (R.Value > 10)
        {
            x = S.SplatAt(left + (at + (10 * L.RowStride(R.Value))));
            low10 = S.MultiplyAdd(x, low, low10);
            high10 = S.MultiplyAdd(x, high, high10);
        }

        if (R.Value > 11)
        {
            x = S.SplatAt(left + (at + (11 * L.RowStride(R.Value))));
            low11 = S.MultiplyAdd(x, low, low11);
            high11 = S.MultiplyAdd(x, high, high11);
        }
    }
}
