using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.KvCache.Tiers;
using Xunit;
using static LlmCluster.Tests.Unit.KvCache.Tiers.TierContent;

namespace LlmCluster.Tests.Unit.KvCache.Tiers;

public class HostTierTests
{
    [Fact]
    public void The_least_recently_used_is_evicted()
    {
        using var tier = new HostTier(BlockBytes, 3);
        Assert.Null(Put(tier, 1));
        Assert.Null(Put(tier, 2));
        Assert.Null(Put(tier, 3));
        Assert.True(tier.Touch(Hash(1)));

        Assert.Equal(Hash(2), Put(tier, 4));
        Assert.Equal(Hash(3), Put(tier, 5));
        Assert.Equal(Hash(1), Put(tier, 6));

        Assert.Equal(3, tier.Count);
        Assert.False(tier.Contains(Hash(1)));
        Assert.False(tier.Touch(Hash(1)));
        foreach (int number in new[] { 4, 5, 6 })
        {
            Check(tier, number);
        }
    }

    [Fact]
    public void A_pinned_slot_is_not_evicted()
    {
        using var tier = new HostTier(BlockBytes, 2);
        Put(tier, 1);
        Put(tier, 2);
        Assert.True(tier.TryPin(Hash(1), touch: false, out int pinned));

        Assert.Equal(Hash(2), Put(tier, 3));
        Assert.Equal(Of(Hash(1)), tier.Bytes(pinned).ToArray());
        Assert.True(tier.TryPin(Hash(3), touch: false, out int other));
        Assert.False(tier.TryBegin(Hash(4), out _, out BlockHash? evicted));
        Assert.Null(evicted);

        tier.Unpin(pinned);
        tier.Unpin(other);
        Assert.Equal(Hash(1), Put(tier, 4));
    }

    [Fact]
    public void Content_is_found_once_it_is_filled()
    {
        using var tier = new HostTier(BlockBytes, 2);
        Assert.True(tier.TryBegin(Hash(1), out int slot, out _));
        Assert.True(tier.Contains(Hash(1)));
        Assert.False(tier.TryPin(Hash(1), touch: true, out _));
        Assert.False(tier.TryBegin(Hash(1), out _, out _));

        tier.Abort(slot);
        Assert.False(tier.Contains(Hash(1)));
        Put(tier, 1);
        Check(tier, 1);
    }

    [Fact]
    public void What_comes_next_is_listed_behind_slots_without_content()
    {
        using var tier = new HostTier(BlockBytes, 5);
        Put(tier, 1);
        Put(tier, 2);
        Put(tier, 3);
        List<BlockHash> found = [];

        tier.FindNextEvicted(2, found);
        Assert.Empty(found);
        tier.FindNextEvicted(4, found);
        Assert.Equal([Hash(1), Hash(2)], found);
        tier.Touch(Hash(1));
        tier.FindNextEvicted(99, found);
        Assert.Equal([Hash(2), Hash(3), Hash(1)], found);
    }

    [Fact]
    public async Task Closing_waits_for_those_who_read()
    {
        var tier = new HostTier(BlockBytes, 2);
        Put(tier, 1);
        Assert.True(tier.TryPin(Hash(1), touch: true, out int slot));
        var closing = Task.Run(tier.Dispose);
        await LlmCluster.Testing.Eventually.TrueAsync(() => !tier.Contains(Hash(1)));
        Assert.False(closing.IsCompleted);
        Assert.Equal(Of(Hash(1)), tier.Bytes(slot).ToArray());

        tier.Unpin(slot);
        await closing.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.False(tier.TryBegin(Hash(2), out _, out _));
        Assert.False(tier.TryPin(Hash(1), touch: true, out _));
    }

    [Fact]
    public async Task Threads_never_read_what_another_one_writes()
    {
        using var tier = new HostTier(BlockBytes, 6);
        int reads = 0;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(() =>
        {
            var random = new Random(thread);
            for (int i = 0; i < 20_000; i++)
            {
                BlockHash hash = Hash(random.Next(12));
                if (tier.TryPin(hash, touch: random.Next(2) == 0, out int slot))
                {
                    Assert.Equal(Of(hash), tier.Bytes(slot).ToArray());
                    tier.Unpin(slot);
                    Interlocked.Increment(ref reads);
                }
                else if (tier.TryBegin(hash, out slot, out _))
                {
                    Of(hash).CopyTo(tier.Bytes(slot));
                    if (random.Next(8) == 0)
                    {
                        tier.Abort(slot);
                    }
                    else
                    {
                        tier.Commit(slot);
                    }
                }
            }
        }))).WaitAsync(TimeSpan.FromSeconds(60));

        Assert.InRange(tier.Count, 1, 6);
        Assert.True(reads > 1000, $"{reads} reads");
    }

    private static BlockHash? Put(HostTier tier, int number)
    {
        Assert.True(tier.TryBegin(Hash(number), out int slot, out BlockHash? evicted));
        Of(Hash(number)).CopyTo(tier.Bytes(slot));
        tier.Commit(slot);
        return evicted;
    }

    private static void Check(HostTier tier, int number)
    {
        Assert.True(tier.TryPin(Hash(number), touch: false, out int slot));
        Assert.Equal(Of(Hash(number)), tier.Bytes(slot).ToArray());
        tier.Unpin(slot);
    }
}
