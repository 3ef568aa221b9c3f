using LlmCluster.Inference.Models;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// 32 steps in k of a panel whose weights are integers: a scale for each of the 32 columns, in bfloat16, then the steps in pairs.
/// The products of a group with integers of 16 bits are summed as integers, exactly, and the sum multiplied by both scales.
/// </summary>
internal static class QuantizedGroup
{
    /// <summary>Steps in k that share a scale.</summary>
    public const int Depth = WeightQuantization.GroupSize;

    /// <summary>Pairs of steps.</summary>
    public const int Pairs = Depth / 2;

    /// <summary>How much larger than their integers the halves of bytes are.</summary>
    public const int Shift = 8;

    /// <summary>Words of a group of one row of the left operand: the pairs, their scale, and what sums begin with.</summary>
    public const int LeftWords = Pairs + 2;

    /// <summary>Bytes of the scales before the steps.</summary>
    public const int ScaleBytes = Panel.Width * sizeof(ushort);

    /// <summary>Bytes of a group.</summary>
    /// <param name="stride">Bytes of a step.</param>
    public static int Bytes(int stride) => ScaleBytes + (Depth * stride);

    /// <summary>Groups of so many steps; the last may be filled up.</summary>
    public static int Count(int depth) => WeightQuantization.Groups(depth);

    /// <summary>Rounds a column: what a checkpoint that is quantised holds, and what packing makes of one that is not.</summary>
    /// <param name="dtype">Q8 or Q4.</param>
    /// <param name="numbers">The column.</param>
    /// <param name="integers">Receives an integer for each number.</param>
    /// <param name="scales">Receives a scale for each group.</param>
    public static void Quantize(WeightDtype dtype, ReadOnlySpan<float> numbers, Span<sbyte> integers, Span<float> scales)
    {
        for (int first = 0; first < numbers.Length; first += Depth)
        {
            ReadOnlySpan<float> group = numbers.Slice(first, Math.Min(Depth, numbers.Length - first));
            float scale = dtype == WeightDtype.Q8 ? ScaleOfBytes(group) : ScaleOfNibbles(group);
            scales[first / Depth] = scale;
            for (int i = 0; i < group.Length; i++)
            {
                integers[first + i] = (sbyte)(dtype == WeightDtype.Q8 ? ToByte(group[i], scale) : ToNibble(group[i], scale));
            }
        }
    }

    /// <summary>The scale with which numbers become integers from -127 to 127; 0 if all are zero.</summary>
    public static float ScaleOfBytes(ReadOnlySpan<float> numbers) => Rounded(Math.Abs(Largest(numbers)) / sbyte.MaxValue);

    /// <summary>The integer of a number, from -127 to 127.</summary>
    public static int ToByte(float number, float scale) => Round(number, scale, -sbyte.MaxValue, sbyte.MaxValue);

    /// <summary>
    /// The scale with which numbers become integers from -8 to 7; 0 if all are zero. The largest becomes -8, or what is best for the others:
    /// of some smaller scales the one with the least sum of squared errors is taken.
    /// </summary>
    public static float ScaleOfNibbles(ReadOnlySpan<float> numbers)
    {
        float whole = Largest(numbers) / -8;
        float best = Rounded(whole);
        float least = float.PositiveInfinity;
        for (int twentieths = 20; twentieths >= 14 && whole != 0; twentieths--)
        {
            float scale = Rounded(whole * twentieths / 20);
            float sum = 0;
            foreach (float number in numbers)
            {
                float error = number - (ToNibble(number, scale) * scale);
                sum += error * error;
            }

            if (sum < least)
            {
                least = sum;
                best = scale;
            }
        }

        return best;
    }

    /// <summary>The integer of a number, from -8 to 7.</summary>
    public static int ToNibble(float number, float scale) => Round(number, scale, -8, 7);

    // To the precision in which scales are kept: integers are those of the scale that they are multiplied by.
    private static float Rounded(float scale) => Bfloat16.ToSingle(Bfloat16.FromSingle(scale));

    private static int Round(float number, float scale, int lowest, int highest) =>
        scale == 0 ? 0 : (int)Math.Clamp(MathF.Round(number / scale), lowest, highest);

    // With its sign.
    private static float Largest(ReadOnlySpan<float> numbers)
    {
        float largest = 0;
        foreach (float number in numbers)
        {
            largest = Math.Abs(number) > Math.Abs(largest) ? number : largest;
        }

        return largest;
    }
}
