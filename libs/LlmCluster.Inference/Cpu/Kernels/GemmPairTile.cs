using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>The tile for few rows and a pair of panels whose steps take turns: rows × four vectors. Same order over k as <see cref="GemmTile{S, V}"/>.</summary>
internal static unsafe class GemmPairTile<S, V>
    where S : struct, ISimd<V>
    where V : struct
{
    /// <summary>Most rows of a tile.</summary>
    public const int MostRows = 6;

    /// <summary>Runs a tile over the 64 columns of a pair of panels.</summary>
    /// <param name="rows">Rows of the tile, 1 to 6.</param>
    /// <param name="left">Left operand, <c>[k][rows]</c>.</param>
    /// <param name="step">Floats from one k of it to the next; there may be more rows than the tile's.</param>
    /// <param name="pair">First panel of the pair.</param>
    /// <param name="depth">Steps in k.</param>
    /// <param name="result">First element of C.</param>
    /// <param name="stride">Floats from one row of C to the next.</param>
    /// <param name="accumulate">Whether the sums begin with what C holds instead of zero.</param>
    public static void Run<F>(int rows, float* left, int step, byte* pair, int depth, float* result, int stride, bool accumulate)
        where F : struct, IPanelFormat<V>
    {
        for (int column = 0; column < Panel.Half; column += S.Lanes)
        {
            byte* right = pair + (column * F.ColumnBytes);
            float* c = result + column;
            switch (rows)
            {
                case 1:
                    Tile<F, Rows1>(left, step, right, depth, c, stride, accumulate);
                    break;
                case 2:
                    Tile<F, Rows2>(left, step, right, depth, c, stride, accumulate);
                    break;
                case 3:
                    Tile<F, Rows3>(left, step, right, depth, c, stride, accumulate);
                    break;
                case 4:
                    Tile<F, Rows4>(left, step, right, depth, c, stride, accumulate);
                    break;
                case 5:
                    Tile<F, Rows5>(left, step, right, depth, c, stride, accumulate);
                    break;
                case 6:
                    Tile<F, Rows6>(left, step, right, depth, c, stride, accumulate);
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(rows), rows, "A tile over a pair has 1 to 6 rows.");
            }
        }
    }

    // Of each row: a and b are the first panel's two vectors, c and d the second's.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<F, R>(float* left, nint step, byte* right, nint depth, float* result, nint stride, bool accumulate)
        where F : struct, IPanelFormat<V>
        where R : struct, IRowCount
    {
        V a0 = default, b0 = default, c0 = default, d0 = default;
        V a1 = default, b1 = default, c1 = default, d1 = default;
        V a2 = default, b2 = default, c2 = default, d2 = default;
        V a3 = default, b3 = default, c3 = default, d3 = default;
        V a4 = default, b4 = default, c4 = default, d4 = default;
        V a5 = default, b5 = default, c5 = default, d5 = default;
        float* sums = result;
        if (accumulate)
        {
            Load(sums, ref a0, ref b0, ref c0, ref d0);

            if (R.Value > 1)
            {
                sums += stride;
                Load(sums, ref a1, ref b1, ref c1, ref d1);
            }

            if (R.Value > 2)
            {
                sums += stride;
                Load(sums, ref a2, ref b2, ref c2, ref d2);
            }

            if (R.Value > 3)
            {
                sums += stride;
                Load(sums, ref a3, ref b3, ref c3, ref d3);
            }

            if (R.Value > 4)
            {
                sums += stride;
                Load(sums, ref a4, ref b4, ref c4, ref d4);
            }

            if (R.Value > 5)
            {
                sums += stride;
                Load(sums, ref a5, ref b5, ref c5, ref d5);
            }
        }

        for (; depth > 0; depth--)
        {
            F.Prefetch(right);
            F.Prefetch(right + Panel.Line);
            V a = F.Low(right);
            V b = F.High(right);
            V c = F.Low(right + Panel.Line);
            V d = F.High(right + Panel.Line);
            V x = S.SplatAt(left);
            a0 = S.MultiplyAdd(x, a, a0);
            b0 = S.MultiplyAdd(x, b, b0);
            c0 = S.MultiplyAdd(x, c, c0);
            d0 = S.MultiplyAdd(x, d, d0);

            if (R.Value > 1)
            {
                x = S.SplatAt(left + 1);
                a1 = S.MultiplyAdd(x, a, a1);
                b1 = S.MultiplyAdd(x, b, b1);
                c1 = S.MultiplyAdd(x, c, c1);
                d1 = S.MultiplyAdd(x, d, d1);
            }

            if (R.Value > 2)
            {
                x = S.SplatAt(left + 2);
                a2 = S.MultiplyAdd(x, a, a2);
                b2 = S.MultiplyAdd(x, b, b2);
                c2 = S.MultiplyAdd(x, c, c2);
                d2 = S.MultiplyAdd(x, d, d2);
            }

            if (R.Value > 3)
            {
                x = S.SplatAt(left + 3);
                a3 = S.MultiplyAdd(x, a, a3);
                b3 = S.MultiplyAdd(x, b, b3);
                c3 = S.MultiplyAdd(x, c, c3);
                d3 = S.MultiplyAdd(x, d, d3);
            }

            if (R.Value > 4)
            {
                x = S.SplatAt(left + 4);
                a4 = S.MultiplyAdd(x, a, a4);
                b4 = S.MultiplyAdd(x, b, b4);
                c4 = S.MultiplyAdd(x, c, c4);
                d4 = S.MultiplyAdd(x, d, d4);
            }

            if (R.Value > 5)
            {
                x = S.SplatAt(left + 5);
                a5 = S.MultiplyAdd(x, a, a5);
                b5 = S.MultiplyAdd(x, b, b5);
                c5 = S.MultiplyAdd(x, c, c5);
                d5 = S.MultiplyAdd(x, d, d5);
            }

            right += F.Stride;
            left += step;
        }

        sums = result;
        Store(sums, a0, b0, c0, d0);

        if (R.Value > 1)
        {
            sums += stride;
            Store(sums, a1, b1, c1, d1);
        }

        if (R.Value > 2)
        {
            sums += stride;
            Store(sums, a2, b2, c2, d2);
        }

        if (R.Value > 3)
        {
            sums += stride;
            Store(sums, a3, b3, c3, d3);
        }

        if (R.Value > 4)
        {
            sums += stride;
            Store(sums, a4, b4, c4, d4);
        }

        if (R.Value > 5)
        {
            sums += stride;
            Store(sums, a5, b5, c5, d5);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load(float* sums, ref V a, ref V b, ref V c, ref V d)
    {
        a = S.Load(sums);
        b = S.Load(sums + Panel.Half);
        c = S.Load(sums + Panel.Width);
        d = S.Load(sums + Panel.Width + Panel.Half);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* sums, V a, V b, V c, V d)
    {
        S.Store(sums, a);
        S.Store(sums + Panel.Half, b);
        S.Store(sums + Panel.Width, c);
        S.Store(sums + Panel.Width + Panel.Half, d);
    }
}
