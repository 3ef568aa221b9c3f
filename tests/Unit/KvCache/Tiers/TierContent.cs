using LlmCluster.Inference.KvCache;
using LlmCluster.Tests.Unit.Engine;
using Xunit;

namespace LlmCluster.Tests.Unit.KvCache.Tiers;

/// <summary>Content that tells by itself which hash it belongs to.</summary>
internal static class TierContent
{
    public static readonly KvLayout Layout = new(Layers: 2, KvHeads: 1, HeadDim: 2, KvDtype.F32, BlockSize: 4);

    public static int BlockBytes => (int)Layout.BlockBytes;

    /// <summary>Some hash.</summary>
    public static BlockHash Hash(int number) => new(0x1234, (ulong)number);

    /// <summary>The bytes of a hash.</summary>
    public static byte[] Of(BlockHash hash)
    {
        byte[] bytes = new byte[BlockBytes];
        new Random(hash.GetHashCode()).NextBytes(bytes);
        hash.Write(bytes);
        return bytes;
    }

    /// <summary>Writes the content of a hash to a block.</summary>
    public static void Fill(this MemoryKvStore store, int block, BlockHash hash)
    {
        byte[] content = Of(hash);
        for (int layer = 0; layer < Layout.Layers; layer++)
        {
            store.Write(layer, block, 0, content.AsSpan(layer * Layout.LayerBlockBytes, Layout.LayerBlockBytes));
        }
    }

    /// <summary>Demands that a block holds the content of a hash.</summary>
    public static void AssertHolds(this MemoryKvStore store, int block, BlockHash hash)
    {
        byte[] content = new byte[BlockBytes];
        for (int layer = 0; layer < Layout.Layers; layer++)
        {
            store.Read(layer, block, 0, content.AsSpan(layer * Layout.LayerBlockBytes, Layout.LayerBlockBytes));
        }

        Assert.Equal(Of(hash), content);
    }
}
