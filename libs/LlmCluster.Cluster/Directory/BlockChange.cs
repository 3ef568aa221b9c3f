namespace LlmCluster.Cluster.Directory;

/// <summary>A block that a worker holds now, or holds no more.</summary>
/// <param name="Hash">The first 64 bits of the block's hash: the directory is a hint, and workers verify by all 128.</param>
/// <param name="Tier">The fastest tier that holds it; null when none does any more.</param>
public readonly record struct BlockChange(ulong Hash, BlockTier? Tier);
