using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace LlmCluster.Inference.KvCache.Checksums;

/// <summary>
/// CRC-32C of long spans by carry-less multiplication on 512-bit registers, several times as fast as CRC instructions,
/// alone or while the bytes are copied: they are then in registers anyway.
/// </summary>
/// <remarks>
/// Folding as in Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (Intel, 2009).
/// Data is a polynomial over GF(2), earlier bits being higher powers; only its remainder counts. 128 bits
/// (a, b) that stand D bits before other 128 bits can be added to those as a·x^(D+64) + b·x^D, both powers reduced
/// first, so that the products fit. Bits are reflected, which makes a product come out divided by x: hence
/// the powers D+63 and D-1. What is left in the end, 64 bytes, goes through the CRC instruction.
/// </remarks>
internal static unsafe class Crc32CFolding
{
    /// <summary>Fewest bytes that can be folded.</summary>
    public const int Least = Stride;

    /// <summary>What is taken is a multiple of this.</summary>
    public const int Unit = 64;

    private const int Stride = 4 * Unit;
    private const uint Polynomial = 0x82F63B78;

    private static readonly Vector512<ulong> ByStride = Factors(8 * Stride);
    private static readonly Vector512<ulong> ByUnit = Factors(8 * Unit);

    /// <summary>Where the bytes go besides into the checksum.</summary>
    private interface ITarget
    {
        static abstract void Store(Vector512<ulong> value, byte* target, nint offset);
    }

    /// <summary>Whether this processor has the instructions.</summary>
    public static bool IsSupported => Pclmulqdq.V512.IsSupported && Sse42.X64.IsSupported;

    /// <summary>State after <paramref name="length"/> bytes, at least <see cref="Least"/> and a multiple of <see cref="Unit"/>.</summary>
    public static uint Append(uint state, byte* source, nint length) => Append<Nowhere>(state, source, null, length);

    /// <summary>The same, and copies the bytes.</summary>
    public static uint AppendCopying(uint state, byte* source, byte* target, nint length) => Append<Cached>(state, source, target, length);

    /// <summary>The same, past the cache; <paramref name="target"/> starts on a cache line.</summary>
    public static uint AppendStreaming(uint state, byte* source, byte* target, nint length)
    {
        state = Append<Streaming>(state, source, target, length);

        // Such stores become visible in any order; whoever is told that the bytes are there must see them.
        Sse.StoreFence();
        return state;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static uint Append<TTarget>(uint state, byte* source, byte* target, nint length)
        where TTarget : struct, ITarget
    {
        Vector512<ulong> factors = ByStride;
        Vector512<ulong> a = Take<TTarget>(source, target, 0);
        Vector512<ulong> b = Take<TTarget>(source, target, 64);
        Vector512<ulong> c = Take<TTarget>(source, target, 128);
        Vector512<ulong> d = Take<TTarget>(source, target, 192);
        a ^= Vector512.CreateScalar((ulong)state);
        nint at = Stride;
        for (; at <= length - Stride; at += Stride)
        {
            a = Fold(a, factors) ^ Take<TTarget>(source, target, at);
            b = Fold(b, factors) ^ Take<TTarget>(source, target, at + 64);
            c = Fold(c, factors) ^ Take<TTarget>(source, target, at + 128);
            d = Fold(d, factors) ^ Take<TTarget>(source, target, at + 192);
        }

        factors = ByUnit;
        b ^= Fold(a, factors);
        c ^= Fold(b, factors);
        d ^= Fold(c, factors);
        for (; at < length; at += Unit)
        {
            d = Fold(d, factors) ^ Take<TTarget>(source, target, at);
        }

        state = 0;
        for (int i = 0; i < Vector512<ulong>.Count; i++)
        {
            state = BitOperations.Crc32C(state, d[i]);
        }

        return state;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> Fold(Vector512<ulong> value, Vector512<ulong> factors) =>
        Pclmulqdq.V512.CarrylessMultiply(value, factors, 0x00) ^ Pclmulqdq.V512.CarrylessMultiply(value, factors, 0x11);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> Take<TTarget>(byte* source, byte* target, nint offset)
        where TTarget : struct, ITarget
    {
        Vector512<ulong> value = Vector512.Load((ulong*)(source + offset));
        TTarget.Store(value, target, offset);
        return value;
    }

    private static Vector512<ulong> Factors(int bits)
    {
        Vector128<ulong> pair = Vector128.Create(PowerOfX(bits + 63), PowerOfX(bits - 1));
        return Vector512.Create(Vector256.Create(pair, pair), Vector256.Create(pair, pair));
    }

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
        public static void Store(Vector512<ulong> value, byte* target, nint offset)
        {
        }
    }

    private readonly struct Cached : ITarget
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(Vector512<ulong> value, byte* target, nint offset) => value.Store((ulong*)(target + offset));
    }

    private readonly struct Streaming : ITarget
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(Vector512<ulong> value, byte* target, nint offset) => value.StoreAlignedNonTemporal((ulong*)(target + offset));
    }
}
