using System.Diagnostics.Metrics;
using LlmCluster.Inference.KvCache.Tiers;

namespace LlmCluster.Inference.Telemetry;

/// <summary>The engine's instruments. Counters of all engines in a process add up.</summary>
public static class InferenceMetrics
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "LlmCluster.Inference";

    /// <summary>Tag of the tier: <c>device</c>, <c>host</c> or <c>disk</c>.</summary>
    public const string TierTag = "tier";

    /// <summary>Tag of a demotion: <c>write_back</c>, ahead of need, or <c>synchronous</c>, while someone waited for the block.</summary>
    public const string ModeTag = "mode";

    private const string Prefix = "llmcluster.kv_cache.tier.";
    private const string Block = "{block}";
    private const string Bytes = "By";

    private static readonly Meter Meter = new(MeterName);
    private static readonly Lock Lock = new();
    private static readonly List<KvTiers> Tiers = [];

    static InferenceMetrics()
    {
        Meter.CreateObservableUpDownCounter(
            Prefix + "used_blocks", () => Observe(static tier => tier.UsedBlocks), Block, "Blocks that a tier holds.");
        Meter.CreateObservableUpDownCounter(Prefix + "used", () => Observe(static tier => tier.UsedBytes), Bytes, "Bytes that a tier holds.");
    }

    internal static Counter<long> TierHits { get; } = Counter("hits", Block, "Blocks that were looked for in a tier and found.");

    internal static Counter<long> TierMisses { get; } = Counter("misses", Block, "Blocks that were looked for in a tier and not found.");

    internal static Counter<long> TierPromotions { get; } = Counter("promotions", Block, "Blocks that went up from a tier.");

    internal static Counter<long> TierDemotions { get; } = Counter("demotions", Block, "Blocks that came down to a tier.");

    internal static Counter<long> TierDropped { get; } = Counter("dropped", Block, "Blocks that a tier evicted and no tier below holds.");

    internal static Counter<long> TierCorrupt { get; } = Counter("corrupt", Block, "Blocks whose content was damaged, and ignored.");

    internal static Counter<long> TierErrors { get; } = Counter("errors", "{error}", "Failed reads and writes of a tier.");

    internal static Counter<long> TierRead { get; } = Counter("read", Bytes, "Bytes read from a tier.");

    internal static Counter<long> TierWritten { get; } = Counter("written", Bytes, "Bytes written to a tier.");

    /// <summary>Has the room that these tiers take reported.</summary>
    internal static void Add(KvTiers tiers)
    {
        lock (Lock)
        {
            Tiers.Add(tiers);
        }
    }

    /// <summary>Ends that.</summary>
    internal static void Remove(KvTiers tiers)
    {
        lock (Lock)
        {
            Tiers.Remove(tiers);
        }
    }

    private static Counter<long> Counter(string name, string unit, string description) =>
        Meter.CreateCounter<long>(Prefix + name, unit, description);

    private static Measurement<long>[] Observe(Func<KvTierCounts, long> value)
    {
        KvTierStatus[] status;
        lock (Lock)
        {
            status = [.. Tiers.Select(static tiers => tiers.Status)];
        }

        return [.. status.SelectMany(static tiers => tiers.All()).GroupBy(static tier => tier.Name)
            .Select(tier => new Measurement<long>(tier.Sum(pair => value(pair.Counts)), new KeyValuePair<string, object?>(TierTag, tier.Key)))];
    }
}
