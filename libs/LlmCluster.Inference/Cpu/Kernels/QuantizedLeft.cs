using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// The left operand of a product with integers: integers of 16 bits, too, with a scale for each row and group. Sixteen bits keep what single precision
/// needs: the error is 2⁻¹⁶ of a group's largest number at most, and sums within a group are exact. A tile is <c>[group]</c> of <c>[rows][16 pairs of elements p and
/// p + 16]</c>, <c>[rows]</c> scales and <c>[rows]</c> integers with which sums of shifted weights begin.
/// </summary>
internal static unsafe class QuantizedLeft<S, V>
    where S : struct, ISimd<V>
    where V : struct
{
    // Numbers below this are nothing; the inverse of the scale stays finite.
    private const float Smallest = 1e-30f;

    /// <summary>Packs a tile.</summary>
    /// <param name="source">First row.</param>
    /// <param name="stride">Floats from one row to the next.</param>
    /// <param name="rows">Rows of the tile.</param>
    /// <param name="depth">Floats of each row.</param>
    /// <param name="destination">Receives the tile.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(float* source, nint stride, int rows, int depth, float* destination)
    {
        float* last = stackalloc float[QuantizedGroup.Depth];
        int groupWords = rows * QuantizedGroup.LeftWords;
        for (int row = 0; row < rows; row++)
        {
            float* from = source + (row * stride);
            float* group = destination;
            for (int k = 0; k < depth; k += QuantizedGroup.Depth)
            {
                float* numbers = from + k;
                if (k + QuantizedGroup.Depth > depth)
                {
                    new Span<float>(last, QuantizedGroup.Depth).Clear();
                    new ReadOnlySpan<float>(numbers, depth - k).CopyTo(new Span<float>(last, QuantizedGroup.Depth));
                    numbers = last;
                }

                float* scales = group + (rows * QuantizedGroup.Pairs);
                scales[row] = PackGroup(numbers, group + (row * QuantizedGroup.Pairs), (int*)scales + rows + row);
                group += groupWords;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float PackGroup(float* numbers, float* pairs, int* start)
    {
        V zero = S.Splat(0f);
        V most = zero;
        V probe = zero;
        for (int i = 0; i < QuantizedGroup.Depth; i += S.Lanes)
        {
            V number = S.Load(numbers + i);
            most = S.Max(most, S.Max(number, S.Subtract(zero, number)));
            probe = S.MultiplyAdd(number, zero, probe);
        }

        // Infinite and undefined numbers must not vanish: the scale hands them on.
        float unbounded = S.Sum(probe);
        float largest = S.Largest(most);
        bool nothing = unbounded != 0 || largest < Smallest;
        V inverse = S.Splat(nothing ? 0f : short.MaxValue / largest);
        V sum = zero;
        for (int i = 0; i < QuantizedGroup.Pairs; i += S.Lanes)
        {
            V low = nothing ? zero : S.Round(S.Multiply(S.Load(numbers + i), inverse));
            V high = nothing ? zero : S.Round(S.Multiply(S.Load(numbers + i + QuantizedGroup.Pairs), inverse));
            S.Store(pairs + i, S.PackPairs(low, high));
            sum = S.Add(sum, S.Add(low, high));
        }

        *start = QuantizedGroup.Shift * -(int)S.Sum(sum);
        return unbounded != 0 ? float.NaN : nothing ? 0 : largest / short.MaxValue;
    }
}
