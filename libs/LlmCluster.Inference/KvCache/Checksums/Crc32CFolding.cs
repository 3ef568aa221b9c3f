using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace LlmCluster.Inference.KvCache.Checksums;

/// <summary>
/// CRC-32C of long spans by carry-less multiplication, as fast as CRC instructions and on wide registers, so that the bytes
/// can be copied in the same pass.
/// </summary>
/// <remarks>
/// Folding as in Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (Intel, 2009).
/// Data is a polynomial over GF(2), earlier bits being higher powers; only its remainder counts. 128 bits
/// (a, b) that stand D bits before other 128 bits can be added to those as a·x^(D+64) + b·x^D, both powers reduced
/// first, so that the products fit. Bits are reflected, which makes a product come out divided by x: hence
/// the powers D+63 and D-1. What is left in the end, 16 bytes, goes through the CRC instruction. Four registers take turns
/// to hide the multiplication's latency.
/// </remarks>
internal static unsafe class Crc32CFolding
{
    /// <summary>Fewest bytes that can be folded.</summary>
    public const int Least = Stride;

    /// <summary>What is taken is a multiple of this.</summary>
    public const int Unit = 16;

    private const int Stride = 4 * Unit;
    private const uint Polynomial = 0x82F63B78;

    private static readonly Vector128<ulong> ByStride = Factors(8 * Stride);
    private static readonly Vector128<ulong> ByUnit = Factors(8 * Unit);

    /// <summary>Where the bytes go besides into the checksum.</summary>
    private interface ITarget
    {
        static abstract void Store(Vector128<ulong> value, byte* target, nint offset);
    }

    /// <summary>Whether this processor has the instructions.</summary>
    public static bool IsSupported => Pclmulqdq.IsSupported && Sse42.X64.IsSupported;

    /// <summary>State after <paramref name="length"/> bytes, at least <see cref="Least"/> and a multiple of <see cref="Unit"/>.</summary>
    public static uint Append(uint state, byte* source, nint length) => Append<Nowhere>(state, source, null, length);

    /// <summary>The same, and copies the bytes.</summary>
    public static uint AppendCopying(uint state, byte* source, byte* target, nint length) => Append<Cached>(state, source, target, length);

    /// <summary>
    /// The same, past the cache; <paramref name="target"/> is a multiple of <see cref="Unit"/>. Such stores become visible in any order:
    /// a fence must follow before another thread is told that the bytes are there.
    /// </summary>
    public static uint AppendStreaming(uint state, byte* source, byte* target, nint length) => Append<Streaming>(state, source, target, length);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static uint Append<TTarget>(uint state, byte* source, byte* target, nint length)
        where TTarget : struct, ITarget
    {
        Vector128<ulong> factors = ByStride;
        Vector128<ulong> a = Take<TTarget>(source, target, 0);
        Vector128<ulong> b = Take<TTarget>(source, target, Unit);
        Vector128<ulong> c = Take<TTarget>(source, target, 2 * Unit);
        Vector128<ulong> d = Take<TTarget>(source, target, 3 * Unit);
        a ^= Vector128.CreateScalar((ulong)state);
        nint at = Stride;
        for (; at <= length - Stride; at += Stride)
        {
            a = Fold(a, factors) ^ Take<TTarget>(source, target, at);
            b = Fold(b, factors) ^ Take<TTarget>(source, target, at + Unit);
            c = Fold(c, factors) ^ Take<TTarget>(source, target, at + (2 * Unit));
            d = Fold(d, factors) ^ Take<TTarget>(source, target, at + (3 * Unit));
        }

        factors = ByUnit;
        b ^= Fold(a, factors);
        c ^= Fold(b, factors);
        d ^= Fold(c, factors);
        for (; at < length; at += Unit)
        {
            d = Fold(d, factors) ^ Take<TTarget>(source, target, at);
        }

        return BitOperations.Crc32C(BitOperations.Crc32C(0u, d[0]), d[1]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> Fold(Vector128<ulong> value, Vector128<ulong> factors) =>
        Pclmulqdq.CarrylessMultiply(value, factors, 0x00) ^ Pclmulqdq.CarrylessMultiply(value, factors, 0x11);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> Take<TTarget>(byte* source, byte* target, nint offset)
        where TTarget : struct, ITarget
    {
        Vector128<ulong> value = Vector128.Load((ulong*)(source + offset));
        TTarget.Store(value, target, offset);
        return value;
    }

    private static Vector128<ulong> Factors(int bits) => Vector128.Create(PowerOfX(bits + 63), PowerOfX(bits - 1));

    // x^n modulo the polynomial, reflected, in the upper half of 64 bits.
    private static ulong PowerOfX(int n)
    {
        uint value = 1u << 31;
        for (int i = 0; i < n; i++)
        {
            value = (value & 1) == 0 ? value >> 1 : (value >> 1) ^ Polynomial;
        }

        return (ulong)value << 32;
    }

    private readonly struct Nowhere : ITarget
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(Vector128<ulong> value, byte* target, nint offset)
        {
        }
    }

    private readonly struct Cached : ITarget
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(Vector128<ulong> value, byte* target, nint offset) => value.Store((ulong*)(target + offset));
    }

    private readonly struct Streaming : ITarget
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(Vector128<ulong> value, byte* target, nint offset) => value.StoreAlignedNonTemporal((ulong*)(target + offset));
    }
}
