using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>One head of one token in the cache as a scale and integers of eight bits. The largest number becomes 127 or -127.</summary>
internal static unsafe class Int8Head
{
    /// <summary>Bytes of the scale, before the integers.</summary>
    public const int ScaleBytes = sizeof(float);

    /// <summary>Rounds numbers to the cache's form.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Write(float* numbers, int count, byte* destination)
    {
        float largest = 0;
        for (int i = 0; i < count; i++)
        {
            largest = MathF.Max(largest, MathF.Abs(numbers[i]));
        }

        float scale = largest / sbyte.MaxValue;
        *(float*)destination = scale;
        var integers = (sbyte*)(destination + ScaleBytes);
        for (int i = 0; i < count; i++)
        {
            // Rounding may pass the limit when the scale is subnormal.
            integers[i] = scale == 0 ? (sbyte)0 : (sbyte)Math.Clamp(MathF.Round(numbers[i] / scale), -sbyte.MaxValue, sbyte.MaxValue);
        }
    }
}

/// <summary>Reads heads in the form of <see cref="Int8Head"/>.</summary>
internal static unsafe class Int8Head<S, V>
    where S : struct, ISimd<V>
    where V : struct
{
    /// <summary>Widens the numbers from <paramref name="first"/> to before <paramref name="end"/> of a head.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Read(byte* head, int first, int end, float* destination)
    {
        float scale = *(float*)head;
        V scales = S.Splat(scale);
        byte* source = head + Int8Head.ScaleBytes;
        int i = first;
        for (; i + S.Lanes <= end; i += S.Lanes)
        {
            S.Store(destination, S.Multiply(S.SignedBytes(source + i), scales));
            destination += S.Lanes;
        }

        for (; i < end; i++)
        {
            *destination++ = (sbyte)source[i] * scale;
        }
    }
}
