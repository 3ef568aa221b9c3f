using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.KvCache.Tiers;
using LlmCluster.Testing;
using Xunit;
using static LlmCluster.Tests.Unit.KvCache.Tiers.TierContent;

namespace LlmCluster.Tests.Unit.KvCache.Tiers;

public sealed class KvTiersTests : IDisposable
{
    // Nothing ahead of need, so that a test says when something happens.
    private static readonly KvTierOptions HostOnly = new() { HostBlocks = 16, WriteAhead = 0, LoadTimeout = TimeSpan.FromSeconds(60) };

    private readonly TempDirectory _directory = new("tiers");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task What_is_evicted_comes_back_from_host_memory()
    {
        using var world = new TierWorld(4, HostOnly);
        Assert.Equal(0, await world.VisitAsync(1, 2, 3));
        Assert.Equal(0, await world.VisitAsync(11, 12, 13, 14));
        Assert.Equal(3, world.Host.SynchronousWrites);

        Assert.Equal(3, await world.VisitAsync(1, 2, 3));

        KvTierCounts host = world.Host;
        Assert.Equal((3, 3, 0), (host.Hits, host.Promotions, host.Dropped));
        Assert.Equal(3 * BlockBytes, host.ReadBytes);
        Assert.Equal(host.UsedBlocks * BlockBytes, host.WrittenBytes);
        Assert.Equal((4, 0, 10), (world.Tiers.Status.Device.UsedBlocks, world.Tiers.Status.Device.Hits, world.Tiers.Status.Device.Misses));
        await world.UntilReleasedAsync();
    }

    [Fact]
    public async Task What_host_memory_holds_is_not_copied_again()
    {
        using var world = new TierWorld(4, HostOnly);
        for (int i = 0; i < 5; i++)
        {
            await world.VisitAsync(1, 2, 3, 4);
            await world.VisitAsync(11, 12, 13, 14);
        }

        Assert.Equal(8, world.Host.SynchronousWrites);
        Assert.Equal(8, world.Host.UsedBlocks);
    }

    [Fact]
    public async Task Only_the_leading_blocks_that_are_there_count()
    {
        using var world = new TierWorld(4, HostOnly with { HostBlocks = 4 });
        await world.VisitAsync(1, 2, 3, 4);
        await world.VisitAsync(11, 12, 13, 14);
        await world.VisitAsync(21);

        // 11 to 14 gave up 14 and pushed 4 out.
        Assert.Equal(1, world.Host.Dropped);
        Assert.Equal(3, await world.VisitAsync(1, 2, 3, 4));
    }

    [Fact]
    public async Task Blocks_that_grow_save_what_they_evict_too()
    {
        using var world = new TierWorld(3, HostOnly);
        await world.VisitAsync(1, 2, 3);
        Assert.True(world.Pool.TryAllocate(out int a));
        Assert.True(world.Pool.TryAllocate(out int b));
        Assert.Equal(2, world.Host.SynchronousWrites);
        world.Pool.Release([a, b]);
        Assert.Equal(3, await world.VisitAsync(1, 2, 3));
    }

    [Fact]
    public async Task Blocks_that_come_next_are_saved_ahead_and_stay_cached_in_their_order()
    {
        using var world = new TierWorld(8, HostOnly with { WriteAhead = 0.5 });
        await world.VisitAsync(1, 2);
        Assert.Equal(0, world.Host.WriteBacks);

        // Six free blocks were outside of the half; one is inside.
        await world.VisitAsync(11, 12, 13);
        await Eventually.TrueAsync(() => world.Host.WriteBacks == 1, TierWorld.Deadline);
        await world.UntilReleasedAsync();
        Assert.Equal(5, world.Pool.Counts.Cached);
        await world.VisitAsync(21, 22, 23);
        await Eventually.TrueAsync(() => world.Host.WriteBacks == 4, TierWorld.Deadline);
        await world.UntilReleasedAsync();

        List<CachedBlock> next = [];
        world.Pool.FindNextEvicted(8, next);
        Assert.Equal([Hash(2), Hash(1), Hash(13), Hash(12), Hash(11), Hash(23), Hash(22), Hash(21)], next.Select(block => block.Hash));

        // What was saved ahead costs nothing when it is evicted.
        await world.VisitAsync(31, 32, 33);
        Assert.Equal(0, world.Host.SynchronousWrites);
        Assert.Equal(2, await world.VisitAsync(1, 2));
    }

    [Fact]
    public async Task Content_goes_on_to_the_disk_and_comes_back_from_there()
    {
        using var world = new TierWorld(4, new KvTierOptions { HostBlocks = 8, DiskPath = _directory.Path, WriteAhead = 1, LoadTimeout = TimeSpan.FromSeconds(60) });
        for (int i = 1; i <= 6; i++)
        {
            await world.VisitAsync((10 * i) + 1, (10 * i) + 2, (10 * i) + 3, (10 * i) + 4);
            int written = 4 * i;
            await Eventually.TrueAsync(() => world.Disk.UsedBlocks == written, TierWorld.Deadline, () => $"{world.Tiers.Status}");
        }

        Assert.Equal(4, await world.VisitAsync(11, 12, 13, 14));
        Assert.Equal((4, 4, 0), (world.Disk.Hits, world.Disk.Promotions, world.Host.Dropped));
        await world.UntilReleasedAsync();
    }

    [Fact]
    public async Task Closing_writes_all_to_the_disk_and_a_new_start_finds_it()
    {
        var options = new KvTierOptions { HostBlocks = 6, DiskPath = _directory.Path, WriteAhead = 0, LoadTimeout = TimeSpan.FromSeconds(60) };
        using (var world = new TierWorld(4, options))
        {
            await world.VisitAsync(1, 2, 3, 4);
            await world.VisitAsync(11, 12, 13);
        }

        using var restarted = new TierWorld(8, options);
        Assert.Equal(7, restarted.Disk.UsedBlocks);
        Assert.Equal(4, await restarted.VisitAsync(1, 2, 3, 4));
        Assert.Equal(3, await restarted.VisitAsync(11, 12, 13));
        Assert.Equal((7, 7), (restarted.Disk.Hits, restarted.Disk.Promotions));
    }

    [Fact]
    public async Task With_too_little_room_on_the_disk_the_latest_prefixes_are_written()
    {
        var options = new KvTierOptions { HostBlocks = 6, DiskPath = _directory.Path, DiskBlocks = 4, WriteAhead = 0, LoadTimeout = TimeSpan.FromSeconds(60) };
        using (var world = new TierWorld(8, options))
        {
            await world.VisitAsync(1, 2, 3);
            await world.VisitAsync(11, 12, 13);
        }

        using var restarted = new TierWorld(8, options);
        Assert.Equal(3, await restarted.VisitAsync(11, 12, 13));
        Assert.Equal(1, await restarted.VisitAsync(1, 2, 3));
    }

    [Fact]
    public async Task Damaged_files_are_filled_anew()
    {
        var options = new KvTierOptions { HostBlocks = 8, DiskPath = _directory.Path, WriteAhead = 0, LoadTimeout = TimeSpan.FromSeconds(60) };
        using (var world = new TierWorld(8, options))
        {
            await world.VisitAsync(1, 2, 3, 4);
        }

        string damaged = Directory.GetFiles(_directory.Path, $"{Hash(3)}.kv", SearchOption.AllDirectories).Single();
        byte[] bytes = File.ReadAllBytes(damaged);
        bytes[^1] ^= 1;
        File.WriteAllBytes(damaged, bytes);

        using var restarted = new TierWorld(8, options);
        Assert.Equal(2, await restarted.VisitAsync(1, 2, 3, 4));
        Assert.Equal((2, 2, 1), (restarted.Disk.Hits, restarted.Disk.Misses, restarted.Disk.Corrupt));
        Assert.Equal(4, await restarted.VisitAsync(1, 2, 3, 4));
    }

    [Fact]
    public async Task A_load_that_is_late_leaves_the_rest_to_its_owner()
    {
        using var world = new TierWorld(8, HostOnly with { LoadTimeout = TimeSpan.FromMilliseconds(50) });
        await world.VisitAsync(1, 2);
        await world.VisitAsync(11, 12);
        await world.VisitAsync(21, 22, 23, 24, 25, 26, 27, 28);
        using var entered = new ManualResetEventSlim();
        using var gate = new ManualResetEventSlim();
        world.Store.BeforeWrite = _ =>
        {
            entered.Set();
            Assert.True(gate.Wait(TierWorld.Deadline));
        };

        // The first holds the loading thread up in the middle of a block, the second waits for the thread.
        BlockLease first = world.Pool.TryReserve([], 2, out _)!;
        TierLoad held = world.Tiers.TryLoad([Hash(1), Hash(2)], first.Blocks)!;
        Assert.True(entered.Wait(TierWorld.Deadline));
        Assert.False(held.TryStop());
        BlockLease second = world.Pool.TryReserve([], 2, out _)!;
        Assert.Equal(0, await world.Tiers.LoadAsync([Hash(11), Hash(12)], second, 0, CancellationToken.None).AsTask().WaitAsync(TierWorld.Deadline));

        // Given up by its owner, and still not free for others: it is being written.
        first.Dispose();
        Assert.Equal(4, world.Pool.Counts.Referenced);
        gate.Set();
        await held.Completed.WaitAsync(TierWorld.Deadline);
        Assert.Equal(1, held.Loaded);
        second.Dispose();
        await world.UntilReleasedAsync();
    }

    [Fact]
    public async Task A_wait_that_is_cancelled_gives_the_blocks_back()
    {
        using var world = new TierWorld(8, HostOnly);
        await world.VisitAsync(1, 2);
        await world.VisitAsync(21, 22, 23, 24, 25, 26, 27, 28);
        using var entered = new ManualResetEventSlim();
        using var gate = new ManualResetEventSlim();
        world.Store.BeforeWrite = _ =>
        {
            entered.Set();
            Assert.True(gate.Wait(TierWorld.Deadline));
        };
        using var cancellation = new CancellationTokenSource();
        Task<(BlockLease, int)?> waiting = world.UseAsync([Hash(1), Hash(2)], cancellationToken: cancellation.Token);
        Assert.True(entered.Wait(TierWorld.Deadline));
        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        gate.Set();
        await world.UntilReleasedAsync();
    }

    [Fact]
    public async Task Closing_ends_loads_that_wait()
    {
        var world = new TierWorld(8, HostOnly);
        await world.VisitAsync(1, 2);
        await world.VisitAsync(21, 22, 23, 24, 25, 26, 27, 28);
        using var entered = new ManualResetEventSlim();
        using var gate = new ManualResetEventSlim();
        world.Store.BeforeWrite = _ =>
        {
            entered.Set();
            Assert.True(gate.Wait(TierWorld.Deadline));
        };
        BlockLease lease = world.Pool.TryReserve([], 4, out _)!;
        TierLoad first = world.Tiers.TryLoad([Hash(1), Hash(2)], lease.Blocks[..2])!;
        TierLoad second = world.Tiers.TryLoad([Hash(1), Hash(2)], lease.Blocks[2..])!;
        Assert.True(entered.Wait(TierWorld.Deadline));
        var closing = Task.Run(world.Dispose);
        gate.Set();

        await closing.WaitAsync(TierWorld.Deadline);
        await Task.WhenAll(first.Completed, second.Completed).WaitAsync(TierWorld.Deadline);
        lease.Dispose();
        Assert.Equal(8, world.Pool.Counts.Available);
        Assert.Null(world.Tiers.TryLoad([Hash(1)], []));
    }
}
