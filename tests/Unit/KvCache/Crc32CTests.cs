using System.Text;
using LlmCluster.Inference.KvCache.Checksums;
using Xunit;

namespace LlmCluster.Tests.Unit.KvCache;

public class Crc32CTests
{
    // The check value of the catalogue of CRC algorithms, and the vectors of RFC 3720, appendix B.4.
    public static TheoryData<byte[], uint> Vectors => new()
    {
        { [], 0x00000000 },
        { Encoding.ASCII.GetBytes("123456789"), 0xE3069283 },
        { new byte[32], 0x8A9136AA },
        { [.. Enumerable.Repeat((byte)0xFF, 32)], 0x62A8AB43 },
        { [.. Enumerable.Range(0, 32).Select(i => (byte)i)], 0x46DD794E },
        { [.. Enumerable.Range(0, 32).Select(i => (byte)(31 - i))], 0x113FDB5C },
    };

    [Theory]
    [MemberData(nameof(Vectors))]
    public void Known_vectors_give_known_checksums(byte[] data, uint expected)
    {
        Assert.Equal(expected, Crc32C.Finish(Crc32C.Append(Crc32C.Initial, data)));
        Assert.Equal(expected, Crc32C.Finish(Crc32C.AppendTables(Crc32C.Initial, data)));
        Assert.Equal(expected, Crc32C.Finish(Crc32C.AppendInterleaved(Crc32C.Initial, data)));
    }

    [Fact]
    public void Every_way_to_compute_it_agrees_on_every_length_and_alignment()
    {
        var data = new byte[10_000];
        new Random(1).NextBytes(data);
        var lengths = Enumerable.Range(0, 40).Concat([767, 768, 769, 1023, 3071, 3072, 3073, 3840, 4096, 6144, 9000, 255, 256, 257, 511, 512, 1280]);
        foreach (int length in lengths)
        {
            for (int offset = 0; offset < 9; offset++)
            {
                ReadOnlySpan<byte> span = data.AsSpan(offset, length);
                uint state = (uint)(length * 2654435761);
                Assert.Equal(Reference(state, span), Crc32C.Append(state, span));
                Assert.Equal(Reference(state, span), Crc32C.AppendTables(state, span));
                Assert.Equal(Reference(state, span), Crc32C.AppendInterleaved(state, span));
            }
        }
    }

    [Fact]
    public void Pieces_give_the_checksum_of_the_whole()
    {
        var random = new Random(2);
        var data = new byte[20_000];
        random.NextBytes(data);
        for (int round = 0; round < 50; round++)
        {
            uint state = Crc32C.Initial;
            for (int at = 0; at < data.Length;)
            {
                int length = Math.Min(random.Next(0, 5000), data.Length - at);
                state = Crc32C.Append(state, data.AsSpan(at, length));
                at += length;
            }

            Assert.Equal(Crc32C.Append(Crc32C.Initial, data), state);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Copying_copies_and_gives_the_same_checksum(bool streaming)
    {
        var random = new Random(4);
        var source = new byte[9_000];
        var target = new byte[source.Length + 200];
        random.NextBytes(source);
        int[] lengths = [0, 1, 63, 64, 255, 256, 319, 320, 321, 383, 384, 1000, 4096, 8191];
        foreach (int length in lengths)
        {
            for (int round = 0; round < 70; round++)
            {
                Array.Fill(target, (byte)0xA5);
                int offset = random.Next(source.Length - length);
                ReadOnlySpan<byte> bytes = source.AsSpan(offset, length);
                uint state = (uint)random.Next();
                Assert.Equal(Reference(state, bytes), Crc32C.AppendCopying(state, bytes, target.AsSpan(round, length), streaming));
                Assert.True(bytes.SequenceEqual(target.AsSpan(round, length)));
                Assert.Equal(-1, target.AsSpan(0, round).IndexOfAnyExcept((byte)0xA5));
                Assert.Equal(-1, target.AsSpan(round + length).IndexOfAnyExcept((byte)0xA5));
            }
        }
    }

    [Fact]
    public void Copying_to_too_little_room_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Crc32C.AppendCopying(0, new byte[1000], new byte[999], streaming: false));

    // The definition, bit by bit.
    private static uint Reference(uint state, ReadOnlySpan<byte> data)
    {
        foreach (byte value in data)
        {
            state ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                state = (state & 1) == 0 ? state >> 1 : (state >> 1) ^ 0x82F63B78;
            }
        }

        return state;
    }
}
