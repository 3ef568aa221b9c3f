namespace LlmCluster.Inference.Models;

/// <summary>Integers from -8 to 7, two in a byte: the first plus 8 in its lower half, the second plus 8 in its upper half.</summary>
internal static class NibblePairs
{
    private const int Offset = 8;

    /// <summary>Bytes of so many integers; the last may be half used.</summary>
    public static int Count(int integers) => (integers + 1) / 2;

    /// <summary>Packs integers; one that fills up the last byte is 0.</summary>
    public static void Pack(ReadOnlySpan<sbyte> integers, Span<byte> bytes)
    {
        for (int i = 0; i < Count(integers.Length); i++)
        {
            int high = (2 * i) + 1 < integers.Length ? integers[(2 * i) + 1] : 0;
            bytes[i] = (byte)((integers[2 * i] + Offset) | ((high + Offset) << 4));
        }
    }

    /// <summary>Unpacks as many integers as <paramref name="integers"/> holds.</summary>
    public static void Unpack(ReadOnlySpan<byte> bytes, Span<sbyte> integers)
    {
        for (int i = 0; i < integers.Length / 2; i++)
        {
            integers[2 * i] = (sbyte)((bytes[i] & 0xF) - Offset);
            integers[(2 * i) + 1] = (sbyte)((bytes[i] >> 4) - Offset);
        }

        if (integers.Length % 2 == 1)
        {
            integers[^1] = (sbyte)((bytes[integers.Length / 2] & 0xF) - Offset);
        }
    }
}
