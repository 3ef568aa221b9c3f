using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.KvCache.Tiers;
using LlmCluster.Tests.Unit.Engine;
using Xunit;
using static LlmCluster.Tests.Unit.KvCache.Tiers.TierContent;

namespace LlmCluster.Tests.Unit.KvCache.Tiers;

/// <summary>A pool with its bytes and the tiers below it, used as sequences use them.</summary>
internal sealed class TierWorld : IDisposable
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    public TierWorld(int blocks, KvTierOptions options)
    {
        Pool = new BlockPool(blocks, Layout.BlockSize);
        Store = new MemoryKvStore(Layout, blocks);
        Tiers = new KvTiers(Pool, Store, "model", options, null, Log);
    }

    public BlockPool Pool { get; }

    public MemoryKvStore Store { get; }

    public KvTiers Tiers { get; }

    public CountingLogger Log { get; } = new();

    public KvTierCounts Host => Tiers.Status.Host;

    public KvTierCounts Disk => Tiers.Status.Disk!;

    /// <summary>
    /// Takes blocks for content, from wherever it is; demands that what is said to be there is; and fills and publishes the rest.
    /// </summary>
    /// <returns>The blocks, and how many were there; null when too few are available.</returns>
    public async Task<(BlockLease Blocks, int Cached)?> UseAsync(BlockHash[] hashes, int blockCount = 0, CancellationToken cancellationToken = default)
    {
        BlockLease? lease = Pool.TryReserve(hashes, Math.Max(blockCount, hashes.Length), out int cached);
        if (lease is null)
        {
            return null;
        }

        cached = await Tiers.LoadAsync(hashes, lease, cached, cancellationToken).AsTask().WaitAsync(Deadline, CancellationToken.None);
        for (int i = 0; i < cached; i++)
        {
            Store.AssertHolds(lease.Blocks[i], hashes[i]);
        }

        for (int i = cached; i < hashes.Length; i++)
        {
            Store.Fill(lease.Blocks[i], hashes[i]);
            Pool.Publish(lease.Blocks[i], hashes[i]);
        }

        return (lease, cached);
    }

    /// <summary>Takes blocks for content and gives them back.</summary>
    /// <returns>How many were there.</returns>
    public async Task<int> VisitAsync(params int[] numbers)
    {
        while (true)
        {
            // A block that is being saved can't be had for that long.
            await LlmCluster.Testing.Eventually.TrueAsync(() => Pool.Counts.Available >= numbers.Length, Deadline);
            if (await UseAsync([.. numbers.Select(Hash)]) is var (lease, cached))
            {
                lease.Dispose();
                return cached;
            }
        }
    }

    /// <summary>Waits until nothing has an owner any more.</summary>
    public Task UntilReleasedAsync() => LlmCluster.Testing.Eventually.TrueAsync(() => Pool.Counts.Referenced == 0, Deadline);

    public void CheckCounts()
    {
        BlockPoolCounts counts = Pool.Counts;
        Assert.Equal(counts.Total, counts.Free + counts.Cached + counts.Referenced);
        Assert.InRange(Host.UsedBlocks, 0, Host.CapacityBlocks);
    }

    public void Dispose() => Tiers.Close(TimeSpan.FromSeconds(30));
}
