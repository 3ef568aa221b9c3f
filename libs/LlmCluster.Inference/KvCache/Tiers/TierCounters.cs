using LlmCluster.Inference.Telemetry;

namespace LlmCluster.Inference.KvCache.Tiers;

/// <summary>Counts what one tier does, for its own status and for the meter. Safe to use from several threads.</summary>
internal sealed class TierCounters(string tier)
{
    public const string Device = "device";
    public const string Host = "host";
    public const string Disk = "disk";

    private readonly KeyValuePair<string, object?> _tag = new(InferenceMetrics.TierTag, tier);
    private readonly KeyValuePair<string, object?> _writeBack = new(InferenceMetrics.ModeTag, "write_back");
    private readonly KeyValuePair<string, object?> _synchronous = new(InferenceMetrics.ModeTag, "synchronous");
    private long _hits;
    private long _misses;
    private long _promotions;
    private long _writeBacks;
    private long _synchronousWrites;
    private long _dropped;
    private long _corrupt;
    private long _errors;
    private long _read;
    private long _written;

    public void Hit(int blocks)
    {
        if (blocks > 0)
        {
            Interlocked.Add(ref _hits, blocks);
            InferenceMetrics.TierHits.Add(blocks, _tag);
        }
    }

    public void Miss(int blocks)
    {
        if (blocks > 0)
        {
            Interlocked.Add(ref _misses, blocks);
            InferenceMetrics.TierMisses.Add(blocks, _tag);
        }
    }

    /// <summary>A block of so many bytes went up.</summary>
    public void Promote(long bytes)
    {
        Interlocked.Increment(ref _promotions);
        Interlocked.Add(ref _read, bytes);
        InferenceMetrics.TierPromotions.Add(1, _tag);
        InferenceMetrics.TierRead.Add(bytes, _tag);
    }

    /// <summary>A block of so many bytes came down.</summary>
    public void Demote(long bytes, bool synchronous = false)
    {
        Interlocked.Increment(ref synchronous ? ref _synchronousWrites : ref _writeBacks);
        Interlocked.Add(ref _written, bytes);
        InferenceMetrics.TierDemotions.Add(1, _tag, synchronous ? _synchronous : _writeBack);
        InferenceMetrics.TierWritten.Add(bytes, _tag);
    }

    /// <summary>Bytes were written that came from below.</summary>
    public void Write(long bytes)
    {
        Interlocked.Add(ref _written, bytes);
        InferenceMetrics.TierWritten.Add(bytes, _tag);
    }

    public void Drop()
    {
        Interlocked.Increment(ref _dropped);
        InferenceMetrics.TierDropped.Add(1, _tag);
    }

    public void Corrupt()
    {
        Interlocked.Increment(ref _corrupt);
        InferenceMetrics.TierCorrupt.Add(1, _tag);
    }

    public void Error()
    {
        Interlocked.Increment(ref _errors);
        InferenceMetrics.TierErrors.Add(1, _tag);
    }

    /// <summary>The counts at this moment.</summary>
    public KvTierCounts Snapshot(long capacityBlocks, long usedBlocks, long usedBytes) => new()
    {
        CapacityBlocks = capacityBlocks,
        UsedBlocks = usedBlocks,
        UsedBytes = usedBytes,
        Hits = Interlocked.Read(ref _hits),
        Misses = Interlocked.Read(ref _misses),
        Promotions = Interlocked.Read(ref _promotions),
        WriteBacks = Interlocked.Read(ref _writeBacks),
        SynchronousWrites = Interlocked.Read(ref _synchronousWrites),
        Dropped = Interlocked.Read(ref _dropped),
        Corrupt = Interlocked.Read(ref _corrupt),
        Errors = Interlocked.Read(ref _errors),
        ReadBytes = Interlocked.Read(ref _read),
        WrittenBytes = Interlocked.Read(ref _written),
    };
}
