using System.Buffers;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.KvCache.Checksums;
using LlmCluster.Testing;
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

    [Fact]
    public void Whole_blocks_come_and_go_in_any_pieces_with_their_checksum()
    {
        using var store = new CpuKvBlockStore(Layout, 5);
        AssertWholeBlocks(store);
        AssertWholeBlocks(new Plain(store));
    }

    [Fact]
    public void Whole_blocks_of_another_length_are_refused()
    {
        using var store = new CpuKvBlockStore(Layout, 5);
        foreach (IKvBlockStore each in new IKvBlockStore[] { store, new Plain(store) })
        {
            Assert.Throws<ArgumentException>(() => each.Write(0, [1, 2], new ReadOnlySequence<byte>(new byte[511]), 0));
            Assert.Throws<ArgumentException>(() => each.Write(0, [1, 2], new ReadOnlySequence<byte>(new byte[513]), 0));
            Assert.Throws<ArgumentOutOfRangeException>(() => each.Write(0, [5], new ReadOnlySequence<byte>(new byte[256]), 0));
            Assert.Throws<ArgumentOutOfRangeException>(() => each.Read(3, [0], new ArrayBufferWriter<byte>(), 0));
        }
    }

    [Fact]
    public void A_store_that_is_gone_copies_nothing()
    {
        var store = new CpuKvBlockStore(Layout, 5);
        store.Dispose();
        Assert.Throws<ObjectDisposedException>(() => store.Write(0, [1], new ReadOnlySequence<byte>(new byte[256]), 0));
        Assert.Throws<ObjectDisposedException>(() => store.Read(0, [1], new ArrayBufferWriter<byte>(), 0));
    }

    private static void AssertWholeBlocks(IKvBlockStore store)
    {
        var random = new Random(2);
        int[] blocks = [4, 0, 3];
        var bytes = new byte[blocks.Length * Layout.LayerBlockBytes];
        for (int piece = 1; piece <= bytes.Length; piece += 1 + (piece / 8))
        {
            random.NextBytes(bytes);
            uint expected = Crc32C.Append(7, bytes);
            Assert.Equal(expected, store.Write(1, blocks, Segments.Of(bytes, piece), 7));
            var read = new ArrayBufferWriter<byte>();
            Assert.Equal(expected, store.Read(1, blocks, read, 7));
            Assert.Equal(bytes, read.WrittenSpan.ToArray());
            var last = new byte[Layout.LayerBlockBytes];
            store.Read(1, 3, 0, last);
            Assert.Equal(bytes[(2 * last.Length)..], last);
        }
    }

    /// <summary>A store that has only what every store must have.</summary>
    private sealed class Plain(IKvBlockStore store) : IKvBlockStore
    {
        public KvLayout Layout => store.Layout;

        public int BlockCount => store.BlockCount;

        public void Read(int layer, int block, int offset, Span<byte> destination) => store.Read(layer, block, offset, destination);

        public void Write(int layer, int block, int offset, ReadOnlySpan<byte> source) => store.Write(layer, block, offset, source);
    }
}
