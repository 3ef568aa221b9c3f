namespace LlmCluster.Inference.KvCache.Tiers;

/// <summary>What the tiers of a KV cache hold and did since the start.</summary>
/// <param name="Device">The blocks of the pool.</param>
/// <param name="Host">Host memory.</param>
/// <param name="Disk">The local disk, where there is such a tier.</param>
public sealed record KvTierStatus(KvTierCounts Device, KvTierCounts Host, KvTierCounts? Disk)
{
    internal IEnumerable<(string Name, KvTierCounts Counts)> All()
    {
        yield return (TierCounters.Device, Device);
        yield return (TierCounters.Host, Host);
        if (Disk is not null)
        {
            yield return (TierCounters.Disk, Disk);
        }
    }
}

/// <summary>One tier. Counts are of blocks unless they say otherwise.</summary>
public sealed record KvTierCounts
{
    /// <summary>Room for blocks.</summary>
    public long CapacityBlocks { get; init; }

    /// <summary>Blocks that hold content.</summary>
    public long UsedBlocks { get; init; }

    /// <summary>Bytes of those.</summary>
    public long UsedBytes { get; init; }

    /// <summary>Looked for and found.</summary>
    public long Hits { get; init; }

    /// <summary>Looked for and not found.</summary>
    public long Misses { get; init; }

    /// <summary>Went up from this tier to the one above.</summary>
    public long Promotions { get; init; }

    /// <summary>Came down to this tier ahead of need.</summary>
    public long WriteBacks { get; init; }

    /// <summary>Came down to this tier while someone waited for the block above.</summary>
    public long SynchronousWrites { get; init; }

    /// <summary>Evicted while no tier below held the content.</summary>
    public long Dropped { get; init; }

    /// <summary>Damaged, and ignored.</summary>
    public long Corrupt { get; init; }

    /// <summary>Reads and writes that failed.</summary>
    public long Errors { get; init; }

    /// <summary>Bytes read from the tier.</summary>
    public long ReadBytes { get; init; }

    /// <summary>Bytes written to the tier.</summary>
    public long WrittenBytes { get; init; }
}
