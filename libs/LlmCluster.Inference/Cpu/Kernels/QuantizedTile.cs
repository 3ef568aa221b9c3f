using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// The register tile where weights are integers: rows × 2 vectors of sums of a group's pairs of products, which are exact, and then one multiply-add by both scales
/// to C for each group, in order. So an output's bits depend on its row and column alone.
/// </summary>
internal static unsafe class QuantizedTile<S, V>
    where S : struct, ISimd<V>
    where V : struct
{
    // Further than for other formats: a step's bytes are fewer, and come from one panel instead of four.
    private const int PrefetchBytes = 4 * Panel.PrefetchBytes;

    /// <summary>Runs a tile of 1 to 12 rows over all 32 columns of a panel.</summary>
    /// <param name="rows">Rows of the tile.</param>
    /// <param name="left">Left operand, as <see cref="QuantizedLeft{S, V}"/> packs it.</param>
    /// <param name="panel">Right operand, in the format of <typeparamref name="F"/>.</param>
    /// <param name="groups">Groups of steps in k.</param>
    /// <param name="result">First element of C.</param>
    /// <param name="stride">Floats from one row of C to the next.</param>
    /// <param name="accumulate">Whether the sums begin with what C holds instead of zero.</param>
    public static void Run<F>(int rows, float* left, byte* panel, int groups, float* result, int stride, bool accumulate)
        where F : struct, IQuantizedPanel<V>
    {
        for (int column = 0; column < Panel.Half; column += S.Lanes)
        {
            switch (rows)
            {
                case 1:
                    Tile<F, Rows1>(left, panel, column, groups, result, stride, accumulate);
                    break;
                case 2:
                    Tile<F, Rows2>(left, panel, column, groups, result, stride, accumulate);
                    break;
                case 3:
                    Tile<F, Rows3>(left, panel, column, groups, result, stride, accumulate);
                    break;
                case 4:
                    Tile<F, Rows4>(left, panel, column, groups, result, stride, accumulate);
                    break;
                case 5:
                    Tile<F, Rows5>(left, panel, column, groups, result, stride, accumulate);
                    break;
                case 6:
                    Tile<F, Rows6>(left, panel, column, groups, result, stride, accumulate);
                    break;
                case 7:
                    Tile<F, Rows7>(left, panel, column, groups, result, stride, accumulate);
                    break;
                case 8:
                    Tile<F, Rows8>(left, panel, column, groups, result, stride, accumulate);
                    break;
                case 9:
                    Tile<F, Rows9>(left, panel, column, groups, result, stride, accumulate);
                    break;
                case 10:
                    Tile<F, Rows10>(left, panel, column, groups, result, stride, accumulate);
                    break;
                case 11:
                    Tile<F, Rows11>(left, panel, column, groups, result, stride, accumulate);
                    break;
                case 12:
                    Tile<F, Rows12>(left, panel, column, groups, result, stride, accumulate);
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(rows), rows, "A tile has 1 to 12 rows.");
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(float* c, V low, V high, V lowScale, V highScale, float* scale, bool accumulate)
    {
        V x = S.SplatAt(scale);
        V sum = accumulate ? S.Load(c) : default;
        S.Store(c, S.MultiplyAdd(S.IntegersToSingles(low), S.Multiply(lowScale, x), sum));
        sum = accumulate ? S.Load(c + Panel.Half) : default;
        S.Store(c + Panel.Half, S.MultiplyAdd(S.IntegersToSingles(high), S.Multiply(highScale, x), sum));
    }

    // Compiled at full optimisation at once: the first prompt must not run the unoptimised tier.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<F, R>(float* left, byte* panel, int column, int groups, float* result, nint stride, bool accumulate)
        where F : struct, IQuantizedPanel<V>
        where R : struct, IRowCount
    {
        float* c = result + column;
        for (; groups > 0; groups--)
        {
            float* scales = left + (R.Value * QuantizedGroup.Pairs);
            float* starts = scales + R.Value;
            V low0 = F.IsShifted && R.Value > 0 ? S.SplatAt(starts) : default, high0 = low0;
            V low1 = F.IsShifted && R.Value > 1 ? S.SplatAt(starts + 1) : default, high1 = low1;
            V low2 = F.IsShifted && R.Value > 2 ? S.SplatAt(starts + 2) : default, high2 = low2;
            V low3 = F.IsShifted && R.Value > 3 ? S.SplatAt(starts + 3) : default, high3 = low3;
            V low4 = F.IsShifted && R.Value > 4 ? S.SplatAt(starts + 4) : default, high4 = low4;
            V low5 = F.IsShifted && R.Value > 5 ? S.SplatAt(starts + 5) : default, high5 = low5;
            V low6 = F.IsShifted && R.Value > 6 ? S.SplatAt(starts + 6) : default, high6 = low6;
            V low7 = F.IsShifted && R.Value > 7 ? S.SplatAt(starts + 7) : default, high7 = low7;
            V low8 = F.IsShifted && R.Value > 8 ? S.SplatAt(starts + 8) : default, high8 = low8;
            V low9 = F.IsShifted && R.Value > 9 ? S.SplatAt(starts + 9) : default, high9 = low9;
            V low10 = F.IsShifted && R.Value > 10 ? S.SplatAt(starts + 10) : default, high10 = low10;
            V low11 = F.IsShifted && R.Value > 11 ? S.SplatAt(starts + 11) : default, high11 = low11;
            byte* right = panel + QuantizedGroup.ScaleBytes + (column * 2);
            for (int pair = 0; pair < QuantizedGroup.Pairs; pair++)
            {
                S.Prefetch(right + PrefetchBytes);
                V low = F.Low(right);
                V high = F.High(right);
                V x = S.SplatAt(left);
                low0 = S.AddPairProducts(low, x, low0);
                high0 = S.AddPairProducts(high, x, high0);

                if (R.Value > 1)
                {
                    x = S.SplatAt(left + QuantizedGroup.Pairs);
                    low1 = S.AddPairProducts(low, x, low1);
                    high1 = S.AddPairProducts(high, x, high1);
                }

                if (R.Value > 2)
                {
                    x = S.SplatAt(left + (2 * QuantizedGroup.Pairs));
                    low2 = S.AddPairProducts(low, x, low2);
                    high2 = S.AddPairProducts(high, x, high2);
                }

                if (R.Value > 3)
                {
                    x = S.SplatAt(left + (3 * QuantizedGroup.Pairs));
                    low3 = S.AddPairProducts(low, x, low3);
                    high3 = S.AddPairProducts(high, x, high3);
                }

                if (R.Value > 4)
                {
                    x = S.SplatAt(left + (4 * QuantizedGroup.Pairs));
                    low4 = S.AddPairProducts(low, x, low4);
                    high4 = S.AddPairProducts(high, x, high4);
                }

                if (R.Value > 5)
                {
                    x = S.SplatAt(left + (5 * QuantizedGroup.Pairs));
                    low5 = S.AddPairProducts(low, x, low5);
                    high5 = S.AddPairProducts(high, x, high5);
                }

                if (R.Value > 6)
                {
                    x = S.SplatAt(left + (6 * QuantizedGroup.Pairs));
                    low6 = S.AddPairProducts(low, x, low6);
                    high6 = S.AddPairProducts(high, x, high6);
                }

                if (R.Value > 7)
                {
                    x = S.SplatAt(left + (7 * QuantizedGroup.Pairs));
                    low7 = S.AddPairProducts(low, x, low7);
                    high7 = S.AddPairProducts(high, x, high7);
                }

                if (R.Value > 8)
                {
                    x = S.SplatAt(left + (8 * QuantizedGroup.Pairs));
                    low8 = S.AddPairProducts(low, x, low8);
                    high8 = S.AddPairProducts(high, x, high8);
                }

                if (R.Value > 9)
                {
                    x = S.SplatAt(left + (9 * QuantizedGroup.Pairs));
                    low9 = S.AddPairProducts(low, x, low9);
                    high9 = S.AddPairProducts(high, x, high9);
                }

                if (R.Value > 10)
                {
                    x = S.SplatAt(left + (10 * QuantizedGroup.Pairs));
                    low10 = S.AddPairProducts(low, x, low10);
                    high10 = S.AddPairProducts(high, x, high10);
                }

                if (R.Value > 11)
                {
                    x = S.SplatAt(left + (11 * QuantizedGroup.Pairs));
                    low11 = S.AddPairProducts(low, x, low11);
                    high11 = S.AddPairProducts(high, x, high11);
                }

                left++;
                right += F.PairBytes;
            }

            byte* columnScales = panel + (column * sizeof(uint));
            V lowScale = S.LowHalves(columnScales);
            V highScale = S.HighHalves(columnScales);
            Put(c, low0, high0, lowScale, highScale, scales, accumulate);

            if (R.Value > 1)
            {
                Put(c + stride, low1, high1, lowScale, highScale, scales + 1, accumulate);
            }

            if (R.Value > 2)
            {
                Put(c + (2 * stride), low2, high2, lowScale, highScale, scales + 2, accumulate);
            }

            if (R.Value > 3)
            {
                Put(c + (3 * stride), low3, high3, lowScale, highScale, scales + 3, accumulate);
            }

            if (R.Value > 4)
            {
                Put(c + (4 * stride), low4, high4, lowScale, highScale, scales + 4, accumulate);
            }

            if (R.Value > 5)
            {
                Put(c + (5 * stride), low5, high5, lowScale, highScale, scales + 5, accumulate);
            }

            if (R.Value > 6)
            {
                Put(c + (6 * stride), low6, high6, lowScale, highScale, scales + 6, accumulate);
            }

            if (R.Value > 7)
            {
                Put(c + (7 * stride), low7, high7, lowScale, highScale, scales + 7, accumulate);
            }

            if (R.Value > 8)
            {
                Put(c + (8 * stride), low8, high8, lowScale, highScale, scales + 8, accumulate);
            }

            if (R.Value > 9)
            {
                Put(c + (9 * stride), low9, high9, lowScale, highScale, scales + 9, accumulate);
            }

            if (R.Value > 10)
            {
                Put(c + (10 * stride), low10, high10, lowScale, highScale, scales + 10, accumulate);
            }

            if (R.Value > 11)
            {
                Put(c + (11 * stride), low11, high11, lowScale, highScale, scales + 11, accumulate);
            }

            accumulate = true;
            left = starts + R.Value;
            panel += QuantizedGroup.ScaleBytes + (QuantizedGroup.Pairs * F.PairBytes);
        }
    }
}
