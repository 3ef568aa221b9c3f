using FsCheck;
using FsCheck.Fluent;
using LlmCluster.Inference.KvCache;
using Xunit;

namespace LlmCluster.Tests.Unit.KvCache;

/// <summary>
/// Any interleaving of the pool's operations, compared step by step with a model of it: lists of owners, a list in
/// order of last use, and which prompt each block holds.
/// </summary>
public class BlockPoolPropertyTests
{
    private const int BlockSize = 4;

    [Fact]
    public void Any_interleaving_keeps_the_accounts()
    {
        // Each operation is three small numbers: what, and two choices.
        Gen<(int, int, int)> operation = ArbMap.Default.GeneratorFor<byte>().Select(b => (int)b).Three()
            .Select(t => (t.Item1 % 16, t.Item2, t.Item3));
        Gen<(int, int, int)[]> operations = operation.ArrayOf(120);
        Prop.ForAll(operations.ToArbitrary(), Run)
            .Check(Config.QuickThrowOnFailure.WithMaxTest(400));
    }

    [Fact]
    public async Task Threads_that_reserve_publish_and_release_leave_every_block_available()
    {
        var pool = new BlockPool(24, BlockSize);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(() =>
        {
            var random = new Random(thread);
            for (int i = 0; i < 20_000; i++)
            {
                BlockHash[] prefix = BlockPoolTests.Chain(random.Next(3), random.Next(3), random.Next(3));
                using BlockLease? lease = pool.TryReserve(prefix, 3 + random.Next(3), out int cached);
                if (lease is null)
                {
                    continue;
                }

                for (int b = cached; b < prefix.Length; b++)
                {
                    pool.Publish(lease.Blocks[b], prefix[b]);
                }

                using BlockLease shared = pool.Share(lease.Blocks);
                BlockPoolCounts counts = pool.Counts;
                Assert.Equal(counts.Total, counts.Free + counts.Cached + counts.Referenced);
            }
        }))).WaitAsync(TimeSpan.FromSeconds(60));

        Assert.Equal(24, pool.Counts.Available);
    }

    private static void Run((int What, int A, int B)[] operations)
    {
        var model = new PoolModel(blockCount: 7);
        foreach ((int what, int a, int b) in operations)
        {
            switch (what)
            {
                case < 5:
                    model.Reserve(prompt: a % 4, length: 1 + (b % 4), blockCount: 1 + (b % 4) + (a % 2), keep: a % 7 == 0 ? 2 : 0);
                    break;
                case < 7:
                    model.Grow(a);
                    break;
                case < 10:
                    model.Publish(a);
                    break;
                case < 14:
                    model.Release(a);
                    break;
                case 14:
                    model.Share(a);
                    break;
                default:
                    if (b % 8 == 0)
                    {
                        model.Clear();
                    }

                    break;
            }

            model.Check();
        }
    }
}
