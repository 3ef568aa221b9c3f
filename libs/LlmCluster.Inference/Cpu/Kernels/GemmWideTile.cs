using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// The tile for decode: one to three rows × four pairs of vectors, so that enough sums are in flight to hide the
/// latency of a multiply-add while weights stream from memory. Same order over k as <see cref="GemmTile{S, V}"/>.
/// </summary>
internal static unsafe class GemmWideTile<S, V>
    where S : struct, ISimd<V>
    where V : struct
{
    /// <summary>Pairs of vectors that a tile runs over.</summary>
    public const int Pairs = 4;

    /// <summary>Panels that a tile runs over.</summary>
    public static int Panels => Pairs * S.Lanes / Panel.Half;

    /// <summary>Runs a tile over <see cref="Panels"/> panels.</summary>
    /// <param name="rows">Rows of the tile, 1 to 3.</param>
    /// <param name="left">Left operand, <c>[k][rows]</c>.</param>
    /// <param name="panels">First panel.</param>
    /// <param name="panelBytes">Bytes from one panel to the next.</param>
    /// <param name="depth">Steps in k.</param>
    /// <param name="result">First element of C.</param>
    /// <param name="stride">Floats from one row of C to the next.</param>
    /// <param name="accumulate">Whether the sums begin with what C holds instead of zero.</param>
    public static void Run<F>(int rows, float* left, byte* panels, nint panelBytes, int depth, float* result, int stride, bool accumulate)
        where F : struct, IPanelFormat<V>
    {
        switch (rows)
        {
            case 1:
                Tile<F, Rows1>(left, panels, panelBytes, depth, result, stride, accumulate);
                break;
            case 2:
                Tile<F, Rows2>(left, panels, panelBytes, depth, result, stride, accumulate);
                break;
            case 3:
                Tile<F, Rows3>(left, panels, panelBytes, depth, result, stride, accumulate);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(rows), rows, "A wide tile has 1 to 3 rows.");
        }
    }

    // Pair q of a tile begins at this column, counted over panels, whose first halves hold 16 columns each.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Column(int pair) => ((pair * S.Lanes / Panel.Half) * Panel.Width) + (pair * S.Lanes % Panel.Half);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* PairStart<F>(byte* panels, nint panelBytes, int pair)
        where F : struct, IPanelFormat<V> =>
        panels + ((pair * S.Lanes / Panel.Half) * panelBytes) + (pair * S.Lanes % Panel.Half * F.ColumnBytes);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<F, R>(float* left, byte* panels, nint panelBytes, nint depth, float* result, nint stride, bool accumulate)
        where F : struct, IPanelFormat<V>
        where R : struct, IRowCount
    {
        V low00 = default, high00 = default;
        V low01 = default, high01 = default;
        V low02 = default, high02 = default;
        V low03 = default, high03 = default;
        V low10 = default, high10 = default;
        V low11 = default, high11 = default;
        V low12 = default, high12 = default;
        V low13 = default, high13 = default;
        V low20 = default, high20 = default;
        V low21 = default, high21 = default;
        V low22 = default, high22 = default;
        V low23 = default, high23 = default;
        if (accumulate)
        {
            low00 = S.Load(result + Column(0));
            high00 = S.Load(result + Column(0) + Panel.Half);
            low01 = S.Load(result + Column(1));
            high01 = S.Load(result + Column(1) + Panel.Half);
            low02 = S.Load(result + Column(2));
            high02 = S.Load(result + Column(2) + Panel.Half);
            low03 = S.Load(result + Column(3));
            high03 = S.Load(result + Column(3) + Panel.Half);

            if (R.Value > 1)
            {
                low10 = S.Load(result + stride + Column(0));
                high10 = S.Load(result + stride + Column(0) + Panel.Half);
                low11 = S.Load(result + stride + Column(1));
                high11 = S.Load(result + stride + Column(1) + Panel.Half);
                low12 = S.Load(result + stride + Column(2));
                high12 = S.Load(result + stride + Column(2) + Panel.Half);
                low13 = S.Load(result + stride + Column(3));
                high13 = S.Load(result + stride + Column(3) + Panel.Half);
            }

            if (R.Value > 2)
            {
                low20 = S.Load(result + (2 * stride) + Column(0));
                high20 = S.Load(result + (2 * stride) + Column(0) + Panel.Half);
                low21 = S.Load(result + (2 * stride) + Column(1));
                high21 = S.Load(result + (2 * stride) + Column(1) + Panel.Half);
                low22 = S.Load(result + (2 * stride) + Column(2));
                high22 = S.Load(result + (2 * stride) + Column(2) + Panel.Half);
                low23 = S.Load(result + (2 * stride) + Column(3));
                high23 = S.Load(result + (2 * stride) + Column(3) + Panel.Half);
            }
        }

        byte* right0 = PairStart<F>(panels, panelBytes, 0);
        byte* right1 = PairStart<F>(panels, panelBytes, 1);
        byte* right2 = PairStart<F>(panels, panelBytes, 2);
        byte* right3 = PairStart<F>(panels, panelBytes, 3);
        for (; depth > 0; depth--)
        {
            V x0 = S.SplatAt(left);
            V x1 = R.Value > 1 ? S.SplatAt(left + 1) : x0;
            V x2 = R.Value > 2 ? S.SplatAt(left + 2) : x0;
            F.Prefetch(right0);
            V low = F.Low(right0);
            V high = F.High(right0);
            low00 = S.MultiplyAdd(x0, low, low00);
            high00 = S.MultiplyAdd(x0, high, high00);
            if (R.Value > 1)
            {
                low10 = S.MultiplyAdd(x1, low, low10);
                high10 = S.MultiplyAdd(x1, high, high10);
            }

            if (R.Value > 2)
            {
                low20 = S.MultiplyAdd(x2, low, low20);
                high20 = S.MultiplyAdd(x2, high, high20);
            }

            right0 += F.Stride;
            F.Prefetch(right1);
            low = F.Low(right1);
            high = F.High(right1);
            low01 = S.MultiplyAdd(x0, low, low01);
            high01 = S.MultiplyAdd(x0, high, high01);
            if (R.Value > 1)
            {
                low11 = S.MultiplyAdd(x1, low, low11);
                high11 = S.MultiplyAdd(x1, high, high11);
            }

            if (R.Value > 2)
            {
                low21 = S.MultiplyAdd(x2, low, low21);
                high21 = S.MultiplyAdd(x2, high, high21);
            }

            right1 += F.Stride;
            F.Prefetch(right2);
            low = F.Low(right2);
            high = F.High(right2);
            low02 = S.MultiplyAdd(x0, low, low02);
            high02 = S.MultiplyAdd(x0, high, high02);
            if (R.Value > 1)
            {
                low12 = S.MultiplyAdd(x1, low, low12);
                high12 = S.MultiplyAdd(x1, high, high12);
            }

            if (R.Value > 2)
            {
                low22 = S.MultiplyAdd(x2, low, low22);
                high22 = S.MultiplyAdd(x2, high, high22);
            }

            right2 += F.Stride;
            F.Prefetch(right3);
            low = F.Low(right3);
            high = F.High(right3);
            low03 = S.MultiplyAdd(x0, low, low03);
            high03 = S.MultiplyAdd(x0, high, high03);
            if (R.Value > 1)
            {
                low13 = S.MultiplyAdd(x1, low, low13);
                high13 = S.MultiplyAdd(x1, high, high13);
            }

            if (R.Value > 2)
            {
                low23 = S.MultiplyAdd(x2, low, low23);
                high23 = S.MultiplyAdd(x2, high, high23);
            }

            right3 += F.Stride;
            left += R.Value;
        }

        S.Store(result + Column(0), low00);
        S.Store(result + Column(0) + Panel.Half, high00);
        S.Store(result + Column(1), low01);
        S.Store(result + Column(1) + Panel.Half, high01);
        S.Store(result + Column(2), low02);
        S.Store(result + Column(2) + Panel.Half, high02);
        S.Store(result + Column(3), low03);
        S.Store(result + Column(3) + Panel.Half, high03);
        if (R.Value > 1)
        {
            S.Store(result + stride + Column(0), low10);
            S.Store(result + stride + Column(0) + Panel.Half, high10);
            S.Store(result + stride + Column(1), low11);
            S.Store(result + stride + Column(1) + Panel.Half, high11);
            S.Store(result + stride + Column(2), low12);
            S.Store(result + stride + Column(2) + Panel.Half, high12);
            S.Store(result + stride + Column(3), low13);
            S.Store(result + stride + Column(3) + Panel.Half, high13);
        }

        if (R.Value > 2)
        {
            S.Store(result + (2 * stride) + Column(0), low20);
            S.Store(result + (2 * stride) + Column(0) + Panel.Half, high20);
            S.Store(result + (2 * stride) + Column(1), low21);
            S.Store(result + (2 * stride) + Column(1) + Panel.Half, high21);
            S.Store(result + (2 * stride) + Column(2), low22);
            S.Store(result + (2 * stride) + Column(2) + Panel.Half, high22);
            S.Store(result + (2 * stride) + Column(3), low23);
            S.Store(result + (2 * stride) + Column(3) + Panel.Half, high23);
        }
    }
}
