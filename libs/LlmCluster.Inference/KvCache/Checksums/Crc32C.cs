using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace LlmCluster.Inference.KvCache.Checksums;

/// <summary>
/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) as a running state: start with <see cref="Initial"/>,
/// <see cref="Append"/> any number of spans, <see cref="Finish"/>.
/// </summary>
/// <remarks>
/// A CRC instruction has a latency of three cycles and a throughput of one, so three independent lanes run side by
/// side and are joined afterwards: the CRC of A followed by B is shift(crc(A), |B|) xor crc(B), where shift appends
/// zero bytes and is linear over GF(2), hence a table look-up per byte of the state.
/// </remarks>
public static unsafe class Crc32C
{
    /// <summary>State before the first byte.</summary>
    public const uint Initial = uint.MaxValue;

    private const uint Polynomial = 0x82F63B78;
    private const int LongLane = 1024;
    private const int ShortLane = 256;

    private static readonly uint[] ShiftLong = CreateShift(LongLane);
    private static readonly uint[] ShiftShort = CreateShift(ShortLane);
    private static readonly uint[] Slices = CreateSlices();

    private static bool HasInstruction => Sse42.X64.IsSupported || Crc32.Arm64.IsSupported;

    /// <summary>State after <paramref name="data"/>.</summary>
    public static uint Append(uint state, ReadOnlySpan<byte> data)
    {
        if (Crc32CFolding.IsSupported && data.Length >= Crc32CFolding.Least)
        {
            int folded = data.Length & -Crc32CFolding.Unit;
            fixed (byte* p = data)
            {
                state = Crc32CFolding.Append(state, p, folded);
            }

            data = data[folded..];
        }

        return AppendShort(state, data);
    }

    /// <summary>
    /// State after <paramref name="source"/>, which is copied to <paramref name="target"/> in the same pass. The two do not overlap.
    /// </summary>
    /// <param name="state">State before.</param>
    /// <param name="source">The bytes.</param>
    /// <param name="target">Takes the bytes; at least as long.</param>
    /// <param name="streaming">
    /// Whether the copy goes past the cache, for what is read much later and often by another core;
    /// <see cref="CompleteStreaming"/> must follow before another thread reads it.
    /// </param>
    public static uint AppendCopying(uint state, ReadOnlySpan<byte> source, Span<byte> target, bool streaming)
    {
        target = target[..source.Length];
        if (!Crc32CFolding.IsSupported || source.Length < Crc32CFolding.Least + Crc32CFolding.Unit)
        {
            source.CopyTo(target);
            return Append(state, source);
        }

        fixed (byte* from = source, to = target)
        {
            int head = streaming ? (int)(-(nint)to & (Crc32CFolding.Unit - 1)) : 0;
            int folded = (source.Length - head) & -Crc32CFolding.Unit;
            int tail = head + folded;
            source[..head].CopyTo(target);
            state = AppendShort(state, source[..head]);
            state = streaming
                ? Crc32CFolding.AppendStreaming(state, from + head, to + head, folded)
                : Crc32CFolding.AppendCopying(state, from, to, folded);
            source[tail..].CopyTo(target[tail..]);
            return AppendShort(state, source[tail..]);
        }
    }

    /// <summary>Makes what this thread has streamed visible before anything that it writes afterwards.</summary>
    public static void CompleteStreaming()
    {
        if (Sse.IsSupported)
        {
            Sse.StoreFence();
        }
    }

    /// <summary>The checksum that a state stands for.</summary>
    public static uint Finish(uint state) => ~state;

    private static uint AppendShort(uint state, ReadOnlySpan<byte> data) =>
        HasInstruction ? AppendInterleaved(state, data) : AppendTables(state, data);

    /// <summary>Three lanes of CRC instructions; correct, though slow, without them.</summary>
    internal static uint AppendInterleaved(uint state, ReadOnlySpan<byte> data)
    {
        ref byte p = ref MemoryMarshal.GetReference(data);
        int left = data.Length;
        while (left >= 3 * LongLane)
        {
            state = ThreeLanes(state, ref p, LongLane, ShiftLong);
            p = ref Unsafe.Add(ref p, 3 * LongLane);
            left -= 3 * LongLane;
        }

        while (left >= 3 * ShortLane)
        {
            state = ThreeLanes(state, ref p, ShortLane, ShiftShort);
            p = ref Unsafe.Add(ref p, 3 * ShortLane);
            left -= 3 * ShortLane;
        }

        for (; left >= sizeof(ulong); left -= sizeof(ulong))
        {
            state = BitOperations.Crc32C(state, Little(Unsafe.ReadUnaligned<ulong>(ref p)));
            p = ref Unsafe.Add(ref p, sizeof(ulong));
        }

        for (; left > 0; left--)
        {
            state = BitOperations.Crc32C(state, p);
            p = ref Unsafe.Add(ref p, 1);
        }

        return state;
    }

    /// <summary>Eight table look-ups for eight bytes, for processors without a CRC instruction.</summary>
    internal static uint AppendTables(uint state, ReadOnlySpan<byte> data)
    {
        uint[] t = Slices;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(data);
        foreach (ulong raw in words)
        {
            ulong word = Little(raw) ^ state;
            state = t[0x700 + (byte)word]
                ^ t[0x600 + (byte)(word >> 8)]
                ^ t[0x500 + (byte)(word >> 16)]
                ^ t[0x400 + (byte)(word >> 24)]
                ^ t[0x300 + (byte)(word >> 32)]
                ^ t[0x200 + (byte)(word >> 40)]
                ^ t[0x100 + (byte)(word >> 48)]
                ^ t[(int)(word >> 56)];
        }

        foreach (byte value in data[(words.Length * sizeof(ulong))..])
        {
            state = t[(byte)(state ^ value)] ^ (state >> 8);
        }

        return state;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static uint ThreeLanes(uint state, ref byte p, int lane, uint[] shift)
    {
        uint a = state;
        uint b = 0;
        uint c = 0;
        for (int i = 0; i < lane; i += sizeof(ulong))
        {
            a = BitOperations.Crc32C(a, Little(Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref p, i))));
            b = BitOperations.Crc32C(b, Little(Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref p, lane + i))));
            c = BitOperations.Crc32C(c, Little(Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref p, (2 * lane) + i))));
        }

        return Shift(Shift(a, shift) ^ b, shift) ^ c;
    }

    private static uint Shift(uint state, uint[] table) =>
        table[(byte)state] ^ table[0x100 + (byte)(state >> 8)] ^ table[0x200 + (byte)(state >> 16)] ^ table[0x300 + (int)(state >> 24)];

    private static uint[] CreateShift(int zeroBytes)
    {
        // The image of each of the 32 unit vectors decides the linear map.
        var images = new uint[32];
        for (int bit = 0; bit < 32; bit++)
        {
            uint state = 1u << bit;
            for (int i = 0; i < zeroBytes; i += sizeof(ulong))
            {
                state = BitOperations.Crc32C(state, 0UL);
            }

            images[bit] = state;
        }

        var table = new uint[4 * 256];
        for (int i = 0; i < table.Length; i++)
        {
            for (int bit = 0; bit < 8; bit++)
            {
                table[i] ^= ((i >> bit) & 1) == 0 ? 0 : images[(8 * (i >> 8)) + bit];
            }
        }

        return table;
    }

    private static uint[] CreateSlices()
    {
        var table = new uint[8 * 256];
        for (uint i = 0; i < 256; i++)
        {
            uint state = i;
            for (int bit = 0; bit < 8; bit++)
            {
                state = (state & 1) == 0 ? state >> 1 : (state >> 1) ^ Polynomial;
            }

            table[i] = state;
        }

        for (int i = 256; i < table.Length; i++)
        {
            table[i] = table[(byte)table[i - 256]] ^ (table[i - 256] >> 8);
        }

        return table;
    }

    private static ulong Little(ulong value) =>
        BitConverter.IsLittleEndian ? value : System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(value);
}
