using System.Text;
using LlmCluster.KvTransfer.Checksums;
using Xunit;

namespace LlmCluster.Tests.Unit.KvTransfer;

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
    public void Interleaved_lanes_and_tables_agree_on_every_length_and_alignment()
    {
        var data = new byte[10_000];
        new Random(1).NextBytes(data);
        var lengths = Enumerable.Range(0, 40).Concat([767, 768, 769, 1023, 3071, 3072, 3073, 3840, 4096, 6144, 9000]);
        foreach (int length in lengths)
        {
            for (int offset = 0; offset < 9; offset++)
            {
                ReadOnlySpan<byte> span = data.AsSpan(offset, length);
                uint state = (uint)(length * 2654435761);
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

    [Fact]
    public void The_checksum_covers_payload_and_numbers()
    {
        var data = new byte[1000];
        new Random(3).NextBytes(data);
        uint expected = KvChecksum.Compute(data, 1, 2, 3);
        Assert.NotEqual(expected, KvChecksum.Compute(data, 2, 2, 3));
        Assert.NotEqual(expected, KvChecksum.Compute(data, 1, 3, 3));
        Assert.NotEqual(expected, KvChecksum.Compute(data, 1, 2, 4));
        for (int bit = 0; bit < 8 * data.Length; bit += 97)
        {
            data[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.NotEqual(expected, KvChecksum.Compute(data, 1, 2, 3));
            data[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        Assert.Equal(expected, KvChecksum.Compute(data, 1, 2, 3));
    }

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
