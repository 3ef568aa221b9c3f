using LlmCluster.KvTransfer.Checksums;
using Xunit;

namespace LlmCluster.Tests.Unit.KvTransfer;

public class KvChecksumTests
{
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
}
