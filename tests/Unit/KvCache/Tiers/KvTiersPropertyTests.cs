using FsCheck;
using FsCheck.Fluent;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.KvCache.Tiers;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.KvCache.Tiers;

/// <summary>
/// Any interleaving of what sequences and transfers do with a pool that has tiers, while the tiers' own threads work: every block that is handed out as cached has the
/// bytes that were published under its hash, and the accounts are right.
/// </summary>
public class KvTiersPropertyTests
{
    private const int PoolBlocks = 9;

    [Fact]
    public void Any_interleaving_keeps_content_and_accounts()
    {
        long promotions = 0;
        long corrupt = 0;
        Gen<(int, int, int)[]> operations = ArbMap.Default.GeneratorFor<byte>().Select(b => (int)b).Three()
            .Select(t => (t.Item1 % 16, t.Item2, t.Item3)).ArrayOf(150);
        Prop.ForAll(operations.ToArbitrary(), run =>
        {
            KvTierStatus status = RunAsync(run).GetAwaiter().GetResult();
            promotions += status.Host.Promotions;
            corrupt += status.Disk!.Corrupt;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(80));

        // The runs are hard enough to mean something.
        Assert.True(promotions > 500, $"{promotions} promotions");
        Assert.True(corrupt > 5, $"{corrupt} damaged files");
    }

    [Fact]
    public async Task Threads_that_use_the_same_content_agree_on_it()
    {
        using var directory = new TempDirectory("tiers");
        using var world = new TierWorld(24, new KvTierOptions { HostBlocks = 10, DiskPath = directory.Path, DiskBlocks = 30 });
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(async () =>
        {
            var random = new Random(thread);
            for (int i = 0; i < 2000; i++)
            {
                if (await world.UseAsync(Prefix(random.Next(8), 1 + random.Next(5))) is { } use)
                {
                    world.CheckCounts();
                    use.Blocks.Dispose();
                }
            }
        }))).WaitAsync(TierWorld.Deadline);

        await world.UntilReleasedAsync();
        Assert.True(world.Host.Promotions > 100, $"{world.Tiers.Status}");
        Assert.Equal(0, world.Log.Errors);
    }

    private static async Task<KvTierStatus> RunAsync((int What, int A, int B)[] operations)
    {
        using var directory = new TempDirectory("tiers");
        using var world = new TierWorld(
            PoolBlocks, new KvTierOptions { HostBlocks = 5 + (operations.Length % 4), DiskPath = directory.Path, DiskBlocks = 12, WriteAhead = 0.4 });
        List<BlockLease> owners = [];
        foreach ((int what, int a, int b) in operations)
        {
            switch (what)
            {
                case < 8:
                    if (await world.UseAsync(Prefix(a % 6, 1 + (b % 4)), 1 + (b % 5)) is { } use)
                    {
                        owners.Add(use.Blocks);
                    }

                    break;
                case < 14:
                    if (owners.Count > 0)
                    {
                        BlockLease owner = owners[a % owners.Count];
                        owners.Remove(owner);
                        owner.Dispose();
                    }

                    break;
                case 14:
                    if (owners.Count > 0)
                    {
                        owners.Add(world.Pool.Share(owners[a % owners.Count].Blocks));
                    }

                    break;
                default:
                    Damage(directory, a, b);
                    break;
            }

            world.CheckCounts();
        }

        owners.ForEach(owner => owner.Dispose());
        await world.UntilReleasedAsync();
        Assert.Equal(0, world.Log.Errors);
        return world.Tiers.Status;
    }

    // Prompts 0 and 1 share their first two blocks, and so on.
    private static BlockHash[] Prefix(int prompt, int length) => BlockPoolTests.Chain(
        [.. Enumerable.Range(0, length).Select(i => i < 2 ? (10 * (prompt / 2)) + i : (100 * prompt) + i)]);

    private static void Damage(TempDirectory directory, int a, int b)
    {
        string[] files = Directory.GetFiles(directory.Path, "*.kv", SearchOption.AllDirectories);
        if (files.Length == 0)
        {
            return;
        }

        try
        {
            using FileStream file = File.Open(files[a % files.Length], FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
            file.Position = b % 192;
            file.WriteByte((byte)a);
        }
        catch (IOException)
        {
            // It was evicted just now.
        }
    }
}
