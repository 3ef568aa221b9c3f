using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>bfloat16: the upper half of a single, rounded to nearest even.</summary>
internal static unsafe class Bfloat16
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToSingle(ushort value) => BitConverter.UInt32BitsToSingle((uint)value << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ushort FromSingle(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value))
        {
            // Rounding could carry a NaN's mantissa away.
            return (ushort)((bits >> 16) | 0x40);
        }

        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>Rounds <paramref name="count"/> singles.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Narrow(float* source, ushort* destination, int count)
    {
        int i = 0;
        for (; i + 8 <= count; i += 8)
        {
            Vector128<float> a = Vector128.Load(source + i);
            Vector128<float> b = Vector128.Load(source + i + 4);
            Vector128.Narrow(Round(a), Round(b)).Store(destination + i);
        }

        for (; i < count; i++)
        {
            destination[i] = FromSingle(source[i]);
        }
    }

    /// <summary>Widens <paramref name="count"/> numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen(ushort* source, float* destination, int count)
    {
        int i = 0;
        for (; i + 8 <= count; i += 8)
        {
            (Vector128<uint> low, Vector128<uint> high) = Vector128.Widen(Vector128.Load(source + i));
            (low << 16).AsSingle().Store(destination + i);
            (high << 16).AsSingle().Store(destination + i + 4);
        }

        for (; i < count; i++)
        {
            destination[i] = ToSingle(source[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Round(Vector128<float> value)
    {
        Vector128<uint> bits = value.AsUInt32();
        Vector128<uint> upper = bits >> 16;
        Vector128<uint> rounded = (bits + Vector128.Create(0x7FFFu) + (upper & Vector128<uint>.One)) >> 16;
        Vector128<uint> number = Vector128.Equals(value, value).AsUInt32();
        return Vector128.ConditionalSelect(number, rounded, upper | Vector128.Create(0x40u));
    }
}
