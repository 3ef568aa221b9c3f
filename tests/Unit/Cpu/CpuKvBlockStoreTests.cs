using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.KvCache;
using Xunit;

namespace LlmCluster.Tests.Unit.Cpu;

public sealed class CpuKvBlockStoreTests
{
    private static readonly KvLayout Layout = new(3, 2, 8, KvDtype.BF16, 4);

    [Fact]
    public void What_was_written_is_read_and_nothing_else_changes()
    {
        using var store = new CpuKvBlockStore(Layout, 5);
        var expected = new byte[3, 5, Layout.LayerBlockBytes];
        var random = new Random(1);
        for (int round = 0; round < 300; round++)
        {
            int layer = random.Next(3);
            int block = random.Next(5);
            int offset = random.Next(Layout.LayerBlockBytes + 1);
            var bytes = new byte[random.Next(Layout.LayerBlockBytes - offset + 1)];
            random.NextBytes(bytes);
            store.Write(layer, block, offset, bytes);
            for (int i = 0; i < bytes.Length; i++)
            {
                expected[layer, block, offset + i] = bytes[i];
            }
        }

        var actual = new byte[Layout.LayerBlockBytes];
        for (int layer = 0; layer < 3; layer++)
        {
            for (int block = 0; block < 5; block++)
            {
                store.Read(layer, block, 0, actual);
                Assert.Equal(Enumerable.Range(0, actual.Length).Select(i => expected[layer, block, i]), actual);
            }
        }
    }

    [Theory]
    [InlineData(-1, 0, 0, 1, "layer")]
    [InlineData(3, 0, 0, 1, "layer")]
    [InlineData(0, -1, 0, 1, "block")]
    [InlineData(0, 5, 0, 1, "block")]
    [InlineData(0, 0, -1, 1, "offset")]
    [InlineData(0, 0, 256, 1, "offset")]
    [InlineData(0, 0, 0, 257, "offset")]
    [InlineData(0, 0, int.MaxValue, 1, "offset")]
    public void Nothing_outside_a_block_is_touched(int layer, int block, int offset, int length, string parameter)
    {
        using var store = new CpuKvBlockStore(Layout, 5);
        Assert.Equal(256, Layout.LayerBlockBytes);
        Assert.Equal(parameter, Assert.Throws<ArgumentOutOfRangeException>(() => store.Read(layer, block, offset, new byte[length])).ParamName);
        Assert.Equal(parameter, Assert.Throws<ArgumentOutOfRangeException>(() => store.Write(layer, block, offset, new byte[length])).ParamName);
    }
}
