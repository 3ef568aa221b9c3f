using LlmCluster.Inference.Models;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// 32 steps in k of a panel whose weights are integers: a scale for each of the 32 columns, in single precision, then the steps.
/// The products of a group are summed as integers times inputs, in single precision, and the sum multiplied by the scale: the same operations in the
/// same order whether weights are widened for each tile or once for many.
/// </summary>
internal static class QuantizedGroup
{
    /// <summary>Steps in k that share a scale.</summary>
    public const int Depth = WeightQuantization.GroupSize;

    /// <summary>Bytes of the scales before the steps.</summary>
    public const int ScaleBytes = Panel.Width * sizeof(float);

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
    public static float ScaleOfBytes(ReadOnlySpan<float> numbers) => Math.Abs(Largest(numbers)) / sbyte.MaxValue;

    /// <summary>The integer of a number, from -127 to 127.</summary>
    public static int ToByte(float number, float scale) => Round(number, scale, -sbyte.MaxValue, sbyte.MaxValue);

    /// <summary>
    /// The scale with which numbers become integers from -8 to 7; 0 if all are zero. The largest becomes -8, or what is best for the others:
    /// of some smaller scales the one with the least sum of squared errors is taken.
    /// </summary>
    public static float ScaleOfNibbles(ReadOnlySpan<float> numbers)
    {
        float whole = Largest(numbers) / -8;
        float best = whole;
        float least = float.PositiveInfinity;
        for (int twentieths = 20; twentieths >= 14 && whole != 0; twentieths--)
        {
            float scale = whole * twentieths / 20;
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
