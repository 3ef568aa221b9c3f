namespace LlmCluster.Cluster.Directory;

/// <summary>Checks what callers hand to a directory, the same way for each implementation.</summary>
internal static class DirectoryChecks
{
    public static void Changes(string workerId, ReadOnlySpan<BlockChange> changes)
    {
        Checks.Name(workerId);
        Checks.Require(
            changes.Length <= IPrefixDirectory.MaxBatch, changes.Length, $"A batch has at most {IPrefixDirectory.MaxBatch} changes.", nameof(changes));
        foreach (BlockChange change in changes)
        {
            Checks.Require(change.Tier is null or (>= BlockTier.Device and <= BlockTier.Disk), change.Tier, "No such tier.", nameof(changes));
        }
    }

    /// <summary>The part of a prompt that is looked up.</summary>
    public static ReadOnlySpan<ulong> Cap(ReadOnlyMemory<ulong> prefix) => prefix.Span[..Math.Min(prefix.Length, IPrefixDirectory.MaxLookup)];
}
