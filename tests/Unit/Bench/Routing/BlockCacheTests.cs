using LlmCluster.Bench.Routing;
using Xunit;

namespace LlmCluster.Tests.Unit.Bench.Routing;

public sealed class BlockCacheTests
{
    [Fact]
    public void What_was_used_longest_ago_goes_first_and_the_end_before_the_beginning()
    {
        List<(long, bool)> changes = [];
        var cache = new BlockCache(4) { Changed = (id, enters) => changes.Add((id, enters)) };
        Use(cache, 1, 2);
        Use(cache, 1, 3);
        Assert.Equal((2, 2), (cache.Match([1, 2]), cache.Match([1, 3, 9])));

        Use(cache, 7, 8);
        Assert.Equal((1, 2, 2), (cache.Match([1, 2]), cache.Match([1, 3]), cache.Match([7, 8])));
        Use(cache, 9);
        Assert.Equal((1, 2, 1), (cache.Match([1, 3]), cache.Match([7, 8]), cache.Match([9])));
        Assert.Equal([(1, true), (2, true), (3, true), (7, true), (2, false), (8, true), (3, false), (9, true)], changes);
    }

    [Fact]
    public void What_is_referenced_stays_even_beyond_the_room()
    {
        var cache = new BlockCache(2);
        Reference(cache, 1, 2, 3);
        Assert.Equal((3, 3), (cache.Referenced, cache.Match([1, 2, 3])));
        cache.Release([1, 2, 3], 3);
        Assert.Equal((0, 2), (cache.Referenced, cache.Match([1, 2, 3])));

        cache.TakeUnnamed(1);
        Assert.Equal((1, 1), (cache.Referenced, cache.Match([1, 2])));
        cache.TakeUnnamed(-1);
        Use(cache, 1, 2);
        Assert.Equal(2, cache.Match([1, 2]));
    }

    private static void Use(BlockCache cache, params long[] blocks)
    {
        Reference(cache, blocks);
        cache.Release(blocks, blocks.Length);
    }

    private static void Reference(BlockCache cache, params long[] blocks)
    {
        foreach (long id in blocks)
        {
            cache.Reference(id);
        }
    }
}
