using LlmCluster.Inference.KvCache;
using Xunit;

namespace LlmCluster.Tests.Unit.KvCache;

public class BlockPoolTests
{
    private const int BlockSize = 4;

    [Fact]
    public void A_new_pool_is_free()
    {
        var pool = new BlockPool(8, BlockSize);
        Assert.Equal(new BlockPoolCounts(8, 8, 0, 0), pool.Counts);
    }

    [Fact]
    public void A_published_prefix_is_found_after_its_release()
    {
        var pool = new BlockPool(8, BlockSize);
        BlockHash[] prefix = Chain(1, 2, 3);
        Fill(pool, prefix).Dispose();
        Assert.Equal(new BlockPoolCounts(8, 5, 3, 0), pool.Counts);

        using BlockLease? lease = pool.TryReserve([.. prefix, .. Chain(1, 2, 3, 9)[3..]], 5, out int cached);

        Assert.Equal(3, cached);
        Assert.Equal(new BlockPoolCounts(8, 3, 0, 5), pool.Counts);
    }

    [Fact]
    public void A_prefix_is_shared_while_it_is_referenced()
    {
        var pool = new BlockPool(8, BlockSize);
        BlockHash[] prefix = Chain(1, 2);
        BlockLease first = Fill(pool, prefix);

        BlockLease? second = pool.TryReserve(prefix, 3, out int cached);

        Assert.Equal(2, cached);
        Assert.Equal(first.Blocks.ToArray(), second!.Blocks[..2].ToArray());
        first.Dispose();
        Assert.Equal(3, pool.Counts.Referenced);
        second.Dispose();
        Assert.Equal(new BlockPoolCounts(8, 6, 2, 0), pool.Counts);
    }

    [Fact]
    public void Reserving_takes_all_or_nothing()
    {
        var pool = new BlockPool(4, BlockSize);
        BlockHash[] prefix = Chain(1, 2);
        Fill(pool, prefix).Dispose();
        BlockPoolCounts before = pool.Counts;

        // Two of the five are in the cache, but then only two more can be had.
        Assert.Null(pool.TryReserve(prefix, 5, out int cached));

        Assert.Equal(0, cached);
        Assert.Equal(before, pool.Counts);
        Assert.Equal(2, pool.CountPrefix(prefix));
    }

    [Fact]
    public void Reserving_leaves_what_it_is_asked_to_leave()
    {
        var pool = new BlockPool(4, BlockSize);
        Assert.Null(pool.TryReserve([], 3, out _, keepAvailable: 2));
        using BlockLease? lease = pool.TryReserve([], 2, out _, keepAvailable: 2);
        Assert.NotNull(lease);
    }

    [Fact]
    public void The_least_recently_used_content_is_evicted_first_and_a_prefix_after_what_follows_it()
    {
        var pool = new BlockPool(4, BlockSize);
        BlockHash[] old = Chain(1, 2);
        BlockHash[] young = Chain(7, 8);
        Fill(pool, old).Dispose();
        Fill(pool, young).Dispose();
        pool.TryReserve(old, 2, out _)!.Dispose();

        Assert.True(pool.TryAllocate(out _));
        Assert.Equal((2, 1), (pool.CountPrefix(old), pool.CountPrefix(young)));
        Assert.True(pool.TryAllocate(out _));
        Assert.Equal((2, 0), (pool.CountPrefix(old), pool.CountPrefix(young)));
        Assert.True(pool.TryAllocate(out _));
        Assert.Equal(1, pool.CountPrefix(old));
        Assert.True(pool.TryAllocate(out _));
        Assert.False(pool.TryAllocate(out _));
    }

    [Fact]
    public void Empty_blocks_are_taken_before_content_is_evicted()
    {
        var pool = new BlockPool(4, BlockSize);
        Fill(pool, Chain(1, 2)).Dispose();

        pool.TryReserve([], 2, out _)!.Dispose();

        Assert.Equal(2, pool.CountPrefix(Chain(1, 2)));
    }

    [Fact]
    public void The_first_block_with_a_hash_stays_the_findable_one()
    {
        var pool = new BlockPool(4, BlockSize);
        BlockHash[] prefix = Chain(1);
        BlockLease first = Fill(pool, prefix);
        BlockLease second = pool.TryReserve([], 1, out _)!;
        pool.Publish(second.Blocks[0], prefix[0]);

        using BlockLease found = pool.TryReserve(prefix, 1, out _)!;
        Assert.Equal(first.Blocks[0], found.Blocks[0]);

        second.Dispose();
        Assert.Equal(3, pool.Counts.Free);
        first.Dispose();
    }

    [Fact]
    public void A_cleared_cache_finds_nothing_and_leaves_owners_their_blocks()
    {
        var pool = new BlockPool(4, BlockSize);
        BlockHash[] held = Chain(1);
        BlockLease lease = Fill(pool, held);
        Fill(pool, Chain(5)).Dispose();

        pool.ClearCache();

        Assert.Equal(0, pool.CountPrefix(held));
        Assert.Equal(new BlockPoolCounts(4, 3, 0, 1), pool.Counts);
        lease.Dispose();
        Assert.Equal(new BlockPoolCounts(4, 4, 0, 0), pool.Counts);
    }

    [Fact]
    public void A_shared_lease_holds_references_of_its_own()
    {
        var pool = new BlockPool(4, BlockSize);
        BlockLease lease = pool.TryReserve([], 2, out _)!;
        BlockLease shared = pool.Share(lease.Blocks);

        lease.Dispose();
        lease.Dispose();
        Assert.Equal(2, pool.Counts.Referenced);
        shared.Dispose();
        Assert.Equal(0, pool.Counts.Referenced);
        Assert.Throws<ObjectDisposedException>(() => shared.Blocks.Length);
    }

    [Fact]
    public void Misuse_is_refused_and_changes_nothing()
    {
        var pool = new BlockPool(4, BlockSize);
        Assert.Throws<InvalidOperationException>(() => pool.Publish(0, Chain(1)[0]));
        Assert.Throws<InvalidOperationException>(() => pool.Share([0]));
        Assert.True(pool.TryAllocate(out int block));
        int other = (block + 1) % 4;
        Assert.Throws<InvalidOperationException>(() => pool.Release([other, block]));
        Assert.Equal(new BlockPoolCounts(4, 3, 0, 1), pool.Counts);
    }

    [Fact]
    public void Released_is_raised_when_blocks_may_be_had_again()
    {
        var pool = new BlockPool(4, BlockSize);
        int raised = 0;
        pool.Released += () => raised++;
        BlockLease lease = pool.TryReserve([], 2, out _)!;
        BlockLease shared = pool.Share(lease.Blocks);

        lease.Dispose();
        Assert.Equal(0, raised);
        shared.Dispose();
        Assert.Equal(1, raised);
    }

    internal static BlockHash[] Chain(params int[] firstTokens) => BlockHash.Chain(
        BlockHash.Root("model"), [.. firstTokens.SelectMany(t => Enumerable.Repeat(t, BlockSize))], BlockSize);

    private static BlockLease Fill(BlockPool pool, BlockHash[] hashes)
    {
        BlockLease lease = pool.TryReserve(hashes, hashes.Length, out int cached)!;
        for (int i = cached; i < hashes.Length; i++)
        {
            pool.Publish(lease.Blocks[i], hashes[i]);
        }

        return lease;
    }
}
