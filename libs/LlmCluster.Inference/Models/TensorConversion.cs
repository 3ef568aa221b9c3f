using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace LlmCluster.Inference.Models;

/// <summary>Conversions between the stored number formats and single precision. All are exact or round to nearest even.</summary>
internal static class TensorConversion
{
    /// <summary>Widens bfloat16 bits; exact.</summary>
    public static void FromBF16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        destination = destination[..source.Length];
        int i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out Vector<uint> low, out Vector<uint> high);
            (low << 16).As<uint, float>().CopyTo(destination[i..]);
            (high << 16).As<uint, float>().CopyTo(destination[(i + Vector<uint>.Count)..]);
        }

        for (; i < source.Length; i++)
        {
            destination[i] = BitConverter.UInt32BitsToSingle((uint)source[i] << 16);
        }
    }

    /// <summary>Widens IEEE half bits, subnormals, infinities and NaN included; exact.</summary>
    public static void FromF16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        destination = destination[..source.Length];
        int i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out Vector<uint> low, out Vector<uint> high);
            WidenHalf(low).CopyTo(destination[i..]);
            WidenHalf(high).CopyTo(destination[(i + Vector<uint>.Count)..]);
        }

        for (; i < source.Length; i++)
        {
            destination[i] = (float)BitConverter.UInt16BitsToHalf(source[i]);
        }
    }

    /// <summary>Narrows to bfloat16 bits, to nearest even; a NaN stays one.</summary>
    public static void ToBF16(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        destination = destination[..source.Length];
        for (int i = 0; i < source.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(source[i]);
            destination[i] = float.IsNaN(source[i])
                ? (ushort)((bits >> 16) | 0x40)
                : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
        }
    }

    /// <summary>Narrows to IEEE half bits, to nearest even.</summary>
    public static void ToF16(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        destination = destination[..source.Length];
        for (int i = 0; i < source.Length; i++)
        {
            destination[i] = BitConverter.HalfToUInt16Bits((Half)source[i]);
        }
    }

    /// <summary>Converts the little-endian bytes of <paramref name="dtype"/> to singles.</summary>
    public static void ToSingle(ReadOnlySpan<byte> source, TensorDtype dtype, Span<float> destination)
    {
        switch (dtype)
        {
            case TensorDtype.F32:
                source.CopyTo(MemoryMarshal.AsBytes(destination));
                break;
            case TensorDtype.F16:
                FromF16(MemoryMarshal.Cast<byte, ushort>(source), destination);
                break;
            case TensorDtype.BF16:
                FromBF16(MemoryMarshal.Cast<byte, ushort>(source), destination);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(dtype), dtype, null);
        }
    }

    /// <summary>Converts singles to the little-endian bytes of <paramref name="dtype"/>.</summary>
    public static void FromSingle(ReadOnlySpan<float> source, TensorDtype dtype, Span<byte> destination)
    {
        switch (dtype)
        {
            case TensorDtype.F32:
                MemoryMarshal.AsBytes(source).CopyTo(destination);
                break;
            case TensorDtype.F16:
                ToF16(source, MemoryMarshal.Cast<byte, ushort>(destination));
                break;
            case TensorDtype.BF16:
                ToBF16(source, MemoryMarshal.Cast<byte, ushort>(destination));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(dtype), dtype, null);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> WidenHalf(Vector<uint> half)
    {
        // Exponent and fraction moved into place read as a single that is 2^112 too small; multiplying rebiases
        // normal and subnormal numbers alike, exactly. Infinity and NaN need the full exponent instead.
        Vector<uint> sign = (half & new Vector<uint>(0x8000)) << 16;
        Vector<uint> magnitude = (half & new Vector<uint>(0x7FFF)) << 13;
        Vector<uint> finite = (magnitude.As<uint, float>() * new Vector<float>(5.192296858534828e33f)).As<float, uint>();
        Vector<uint> special = Vector.GreaterThanOrEqual(magnitude, new Vector<uint>(0x7C00u << 13));
        Vector<uint> widened = Vector.ConditionalSelect(special, magnitude | new Vector<uint>(0x7F800000), finite);
        return (widened | sign).As<uint, float>();
    }
}
