namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// 32 steps in k of a panel whose weights are integers: a scale for each of the 32 columns, in single precision, then the steps in pairs.
/// The products of a group with integers of 16 bits are summed as integers, exactly, and the sum multiplied by both scales.
/// </summary>
internal static class QuantizedGroup
{
    /// <summary>Steps in k that share a scale.</summary>
    public const int Depth = 32;

    /// <summary>Pairs of steps.</summary>
    public const int Pairs = Depth / 2;

    /// <summary>How much larger than their integers the halves of bytes are.</summary>
    public const int Shift = 8;

    /// <summary>Words of a group of one row of the left operand: the pairs, their scale, and what sums begin with.</summary>
    public const int LeftWords = Pairs + 2;

    /// <summary>Bytes of the scales before the steps.</summary>
    public const int ScaleBytes = Panel.Width * sizeof(float);

    /// <summary>Bytes of a group.</summary>
    /// <param name="stride">Bytes of a step.</param>
    public static int Bytes(int stride) => ScaleBytes + (Depth * stride);

    /// <summary>Groups of so many steps; the last may be filled up.</summary>
    public static int Count(int depth) => (depth + Depth - 1) / Depth;

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
