using FsCheck;
using FsCheck.Fluent;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.KvCache.Tiers;
using LlmCluster.Testing;
using LlmCluster.Tests.Unit.Engine;
using Xunit;

namespace LlmCluster.Tests.Unit.KvCache;

public class HeldBlocksTests
{
    private const int Contents = 24;
    private const int BlockBytes = 64;

    [Fact]
    public void What_came_and_went_before_it_was_told_is_no_news()
    {
        var held = new HeldBlocks();
        BlockHash hash = Hash(1);
        held.Gain(hash, KvTier.Device);
        held.Lose(hash, KvTier.Device);
        Assert.Empty(Drain(held));
        Assert.Equal((0, 0), (held.Count, held.Known));

        held.Gain(hash, KvTier.Host);
        held.Gain(hash, KvTier.Device);
        Assert.Equal([new HeldChange(hash.High, KvTier.Device)], Drain(held));
        held.Lose(hash, KvTier.Device);
        held.Gain(hash, KvTier.Device);
        held.Lose(hash, KvTier.Host);
        Assert.Empty(Drain(held));
        held.Lose(hash, KvTier.Device);
        Assert.Equal([new HeldChange(hash.High, null)], Drain(held));
        Assert.Equal((0, 0), (held.Count, held.Known));
    }

    [Fact]
    public async Task Whoever_waits_is_woken_by_the_first_change()
    {
        var held = new HeldBlocks();
        Task waiting = held.WaitAsync(default);
        Assert.False(waiting.IsCompleted);
        held.Gain(Hash(1), KvTier.Disk);
        await waiting.WaitAsync(Eventually.DefaultDeadline);
        Assert.True(held.WaitAsync(default).IsCompleted);
        Drain(held);
        waiting = held.WaitAsync(default);
        Assert.False(waiting.IsCompleted);
        held.Forget();
        await waiting.WaitAsync(Eventually.DefaultDeadline);
        Assert.Single(Drain(held));
    }

    [Fact]
    public void Nobody_who_listens_costs_no_more_than_what_is_held()
    {
        var held = new HeldBlocks();
        for (int i = 0; i < 10_000; i++)
        {
            held.Gain(Hash(i), KvTier.Device);
            held.Lose(Hash(i - 10), KvTier.Device);
        }

        Assert.Equal((10, 10), (held.Count, held.Known));
        Drain(held);
        for (int i = 10_000; i < 20_000; i++)
        {
            held.Gain(Hash(i), KvTier.Device);
            held.Lose(Hash(i - 10), KvTier.Device);
        }

        // The ten that were told to be held have to be told of.
        Assert.Equal((10, 20), (held.Count, held.Known));
        held.Forget();
        Assert.Equal((10, 10), (held.Count, held.Known));
    }

    [Fact]
    public void It_is_what_pool_and_tiers_answer_and_so_is_what_was_told()
    {
        int told = 0;
        Gen<(int, int, int)[]> operations = ArbMap.Default.GeneratorFor<byte>().Select(b => (int)b).Three().ArrayOf(300);
        Prop.ForAll(operations.ToArbitrary(), run => told += Run(run)).Check(Config.QuickThrowOnFailure.WithMaxTest(60));
        Assert.True(told > 1000, $"{told} changes");
    }

    private static int Run((int What, int A, int B)[] operations)
    {
        using var directory = new TempDirectory("held");
        var held = new HeldBlocks();
        var pool = new BlockPool(8, 4) { Held = held };
        using var host = new HostTier(BlockBytes, 6, held);
        using var disk = new DiskTier(directory.Path, Hash(9999), BlockBytes, 10, new CountingLogger(), held);
        var owners = new List<BlockLease>();
        var told = new Dictionary<ulong, KvTier>();
        int changes = 0;
        foreach ((int what, int a, int b) in operations)
        {
            BlockHash hash = Hash(a % Contents);
            switch (what % 12)
            {
                case < 4:
                    if (pool.TryReserve([hash], 1 + (b % 3), out int cached) is { } lease)
                    {
                        owners.Add(lease);
                        if (cached == 0 && b % 5 > 0)
                        {
                            pool.Publish(lease.Blocks[0], hash);
                        }
                    }

                    break;
                case < 7:
                    if (owners.Count > 0)
                    {
                        owners[b % owners.Count].Dispose();
                        owners.RemoveAt(b % owners.Count);
                    }

                    break;
                case 7:
                    if (host.TryBegin(hash, out int slot, out _))
                    {
                        if (b % 4 == 0)
                        {
                            host.Abort(slot);
                        }
                        else
                        {
                            host.Commit(slot);
                        }
                    }

                    break;
                case 8:
                    disk.TryWrite(hash, new byte[BlockBytes]);
                    break;
                case 9:
                    if (b % 3 == 0)
                    {
                        Directory.EnumerateFiles(disk.Folder, "*.kv").Take(1).ToList().ForEach(File.Delete);
                    }

                    disk.TryRead(hash, new byte[BlockBytes]);
                    break;
                case 10:
                    changes += Tell(held, told);
                    break;
                default:
                    if (b % 16 == 0)
                    {
                        pool.ClearCache();
                    }
                    else if (b % 16 == 1)
                    {
                        told.Clear();
                        held.Forget();
                    }

                    break;
            }

            for (int i = 0; i < Contents; i++)
            {
                Assert.Equal(Fastest(Hash(i), pool, host, disk), held.Find(Hash(i)));
            }
        }

        changes += Tell(held, told);
        for (int i = 0; i < Contents; i++)
        {
            Assert.Equal(Fastest(Hash(i), pool, host, disk), told.TryGetValue(Hash(i).High, out KvTier tier) ? tier : null);
        }

        Assert.Equal((told.Count, told.Count), (held.Count, held.Known));
        owners.ForEach(owner => owner.Dispose());
        return changes;
    }

    private static KvTier? Fastest(BlockHash hash, BlockPool pool, HostTier host, DiskTier disk) =>
        pool.CountPrefix([hash]) > 0 ? KvTier.Device : host.Contains(hash) ? KvTier.Host : disk.Contains(hash) ? KvTier.Disk : null;

    private static int Tell(HeldBlocks held, Dictionary<ulong, KvTier> told)
    {
        List<HeldChange> changes = Drain(held);
        foreach (HeldChange change in changes)
        {
            if (change.Tier is { } tier)
            {
                Assert.False(told.TryGetValue(change.Hash, out KvTier before) && before == tier);
                told[change.Hash] = tier;
            }
            else
            {
                Assert.True(told.Remove(change.Hash));
            }
        }

        return changes.Count;
    }

    private static List<HeldChange> Drain(HeldBlocks held)
    {
        var changes = new List<HeldChange>();
        held.Drain(changes);
        return changes;
    }

    private static BlockHash Hash(int content) => BlockHash.Root($"content {content}");
}
