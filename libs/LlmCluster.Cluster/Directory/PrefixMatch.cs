namespace LlmCluster.Cluster.Directory;

/// <summary>How much of a prompt a worker holds, by what it last published.</summary>
/// <param name="WorkerId">The worker.</param>
/// <param name="DeviceBlocks">Leading blocks in its KV pool.</param>
/// <param name="Blocks">Leading blocks in any tier; at least <paramref name="DeviceBlocks"/>.</param>
public readonly record struct PrefixMatch(string WorkerId, int DeviceBlocks, int Blocks);
