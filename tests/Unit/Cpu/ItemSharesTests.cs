using LlmCluster.Inference.Cpu.Threading;
using Xunit;

namespace LlmCluster.Tests.Unit.Cpu;

public sealed class ItemSharesTests
{
    [Fact]
    public void Each_item_is_taken_once_in_whatever_order_threads_come()
    {
        var random = new Random(1);
        for (int round = 0; round < 5000; round++)
        {
            int threads = random.Next(1, 9);
            int items = random.Next(0, 200);
            int grain = random.Next(1, 9);
            var shares = new ItemShares(threads);
            shares.Deal(items, grain, random.Next(1, 6));
            var counts = new int[items];
            while (shares.TryTake(random.Next(threads), out int first, out int end))
            {
                Count(counts, first, end);
                Assert.Equal(0, first % grain);
                Assert.True(end % grain == 0 || end == items, $"A piece from {first} to {end} of {items} in grains of {grain}.");
            }

            Assert.All(counts, count => Assert.Equal(1, count));
            Assert.All(Enumerable.Range(0, threads), thread => Assert.False(shares.TryTake(thread, out _, out _)));
        }
    }

    [Fact]
    public async Task Each_item_is_taken_once_by_threads_that_run_at_the_same_time()
    {
        const int threads = 4;
        var shares = new ItemShares(threads);
        var counts = new int[1000];
        using var meeting = new Barrier(threads);
        Task[] takers = [.. Enumerable.Range(0, threads).Select(thread => Task.Factory.StartNew(
            () =>
            {
                for (int round = 1; round <= 500; round++)
                {
                    if (thread == 0)
                    {
                        shares.Deal(counts.Length, 1 + (round % 3), 1 + (round % 5));
                    }

                    Assert.True(meeting.SignalAndWait(TimeSpan.FromSeconds(30)));
                    while (shares.TryTake(thread, out int first, out int end))
                    {
                        Count(counts, first, end);
                    }

                    Assert.True(meeting.SignalAndWait(TimeSpan.FromSeconds(30)));
                    if (thread == 0)
                    {
                        Assert.All(counts, count => Assert.Equal(round, count));
                    }
                }
            },
            TestContext.Current.CancellationToken,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default))];
        await Task.WhenAll(takers).WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData(1, 100, 1, 4)]
    [InlineData(2, 128, 4, 2)]
    [InlineData(3, 1000, 8, 4)]
    public void A_thread_takes_its_share_in_order_in_pieces_that_get_shorter_down_to_the_grain(int threads, int items, int grain, int piecesPerShare)
    {
        var shares = new ItemShares(threads);
        shares.Deal(items, grain, piecesPerShare);
        for (int thread = 0; thread < threads; thread++)
        {
            var pieces = new List<(int First, int End)>();
            while ((pieces.Count == 0 || pieces[^1].End < ShareEnd(thread)) && shares.TryTake(thread, out int first, out int end))
            {
                pieces.Add((first, end));
            }

            Assert.Equal((ShareEnd(thread - 1), ShareEnd(thread)), (pieces[0].First, pieces[^1].End));
            Assert.InRange(pieces[0].End - pieces[0].First, grain + 1, items / threads / piecesPerShare);
            Assert.InRange(pieces[^1].End - pieces[^1].First, 1, grain);
            Assert.All(pieces.Zip(pieces[1..]), pair =>
            {
                Assert.Equal(pair.First.End, pair.Second.First);
                Assert.InRange(pair.Second.End - pair.Second.First, 1, pair.First.End - pair.First.First);
            });
        }

        Assert.False(shares.TryTake(0, out _, out _));

        int ShareEnd(int thread) => Math.Min((items + grain - 1) / grain * (thread + 1) / threads * grain, items);
    }

    [Fact]
    public void What_a_thread_has_left_goes_to_others_from_its_end()
    {
        var shares = new ItemShares(2);
        shares.Deal(16, 1, 1);
        Assert.True(shares.TryTake(0, out int first, out int end));
        Assert.Equal((0, 8), (first, end));

        // Thread 1 never comes: half of what it has left is taken, then half of that.
        foreach ((int First, int End) expected in new[] { (12, 16), (10, 12), (9, 10), (8, 9) })
        {
            Assert.True(shares.TryTake(0, out first, out end));
            Assert.Equal(expected, (first, end));
        }

        Assert.False(shares.TryTake(1, out _, out _));
    }

    [Fact]
    public void What_was_stolen_can_be_stolen()
    {
        var shares = new ItemShares(3);
        shares.Deal(24, 1, 4);
        for (int i = 0; i < 100 && shares.TryTake(0, out int first, out _) && first < 8; i++)
        {
        }

        // Thread 0 is at the first item of what it stole; others get the rest of it.
        var left = new List<int>();
        while (shares.TryTake(2, out int first, out int end))
        {
            left.AddRange(Enumerable.Range(first, end - first));
        }

        Assert.Equal(15, left.Distinct().Count());
        Assert.Equal(15, left.Count);
    }

    private static void Count(int[] counts, int first, int end)
    {
        Assert.InRange(first, 0, end - 1);
        for (int i = first; i < end; i++)
        {
            Interlocked.Increment(ref counts[i]);
        }
    }
}
