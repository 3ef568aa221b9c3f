namespace LlmCluster.Inference.KvCache.Tiers;

/// <summary>A block and the content that it is published under.</summary>
internal readonly record struct CachedBlock(int Block, BlockHash Hash);

/// <summary>Keeps content that a pool gives up.</summary>
internal interface IEvictedContent
{
    /// <summary>
    /// Called by the thread that takes the blocks, outside the pool's lock and before their new owner has them: their bytes are still those of the
    /// hashes. Copies what it wants to keep, and does not throw.
    /// </summary>
    /// <param name="blocks">In order of eviction.</param>
    /// <param name="wanted">What the new owner would have liked to find, in order; not to be given up for the others.</param>
    void Keep(ReadOnlySpan<CachedBlock> blocks, ReadOnlySpan<BlockHash> wanted);
}
