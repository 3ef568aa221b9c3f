namespace LlmCluster.Inference.KvCache;

/// <summary>Counts of a pool's blocks at one moment; <c>Free + Cached + Referenced = Total</c>.</summary>
/// <param name="Total">All blocks.</param>
/// <param name="Free">Blocks without owner and without content.</param>
/// <param name="Cached">Blocks without owner whose content can be reused until they are evicted.</param>
/// <param name="Referenced">Blocks that a sequence or a transfer holds.</param>
public readonly record struct BlockPoolCounts(int Total, int Free, int Cached, int Referenced)
{
    /// <summary>Blocks that can be had at once.</summary>
    public int Available => Free + Cached;
}
