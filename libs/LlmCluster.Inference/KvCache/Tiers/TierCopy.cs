namespace LlmCluster.Inference.KvCache.Tiers;

/// <summary>Whole blocks between a pool and plain memory, <c>[layer][byte]</c>.</summary>
internal static class TierCopy
{
    public static void Read(IKvBlockStore store, int block, Span<byte> target)
    {
        int size = store.Layout.LayerBlockBytes;
        for (int layer = 0; layer < store.Layout.Layers; layer++)
        {
            store.Read(layer, block, 0, target.Slice(layer * size, size));
        }
    }

    public static void Write(IKvBlockStore store, int block, ReadOnlySpan<byte> source)
    {
        int size = store.Layout.LayerBlockBytes;
        for (int layer = 0; layer < store.Layout.Layers; layer++)
        {
            store.Write(layer, block, 0, source.Slice(layer * size, size));
        }
    }
}
