using LlmCluster.Inference.Cpu.Threading;
using Xunit;

namespace LlmCluster.Tests.Unit.Cpu;

public sealed class ThreadTeamTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Every_item_is_done_once_in_each_of_many_sections(int threads)
    {
        using var team = new ThreadTeam(threads);
        var random = new Random(1);
        for (int section = 0; section < 3000; section++)
        {
            int items = random.Next(0, 50);
            var work = new Counting(items, threads);
            team.Run(work, items, random.Next(1, 8));
            Assert.All(work.Counts, count => Assert.Equal(1, count));
        }
    }

    [Fact]
    public void Sleeping_threads_wake_for_work()
    {
        using var team = new ThreadTeam(2);
        for (int i = 0; i < 5; i++)
        {
            Assert.True(SpinWait.SpinUntil(() => team.Sleeping == 1, TimeSpan.FromSeconds(30)));
            using var meeting = new Meeting();
            team.Run(meeting, 2, 1);
            Assert.True(meeting.Met);
        }
    }

    [Fact]
    public void All_threads_but_the_caller_sleep_when_there_is_nothing_to_do()
    {
        using var team = new ThreadTeam(4);
        for (int i = 0; i < 3; i++)
        {
            team.Run(new Counting(40, 4), 40, 1);
            Assert.True(SpinWait.SpinUntil(() => team.Sleeping == 3, TimeSpan.FromSeconds(30)));
        }
    }

    [Fact]
    public void An_exception_reaches_the_caller_and_the_team_goes_on()
    {
        using var team = new ThreadTeam(2);
        for (int i = 0; i < 1000; i++)
        {
            Assert.Throws<InvalidOperationException>(() => team.Run(new Failing(), 64, 1));
            var work = new Counting(20, 2);
            team.Run(work, 20, 1);
            Assert.All(work.Counts, count => Assert.Equal(1, count));
        }
    }

    [Fact]
    public void A_disposed_team_refuses_work()
    {
        var team = new ThreadTeam(3);
        team.Dispose();
        Assert.Throws<ObjectDisposedException>(() => team.Run(new Counting(20, 3), 20, 1));
    }

    [Fact]
    public void Teams_do_not_hold_up_one_another()
    {
        Parallel.For(0, 4, new ParallelOptions { MaxDegreeOfParallelism = 4 }, _ =>
        {
            using var team = new ThreadTeam(3);
            for (int section = 0; section < 500; section++)
            {
                var work = new Counting(30, 3);
                team.Run(work, 30, 2);
                Assert.All(work.Counts, count => Assert.Equal(1, count));
            }
        });
    }

    private sealed class Counting(int items, int threads) : IParallelWork
    {
        public int[] Counts { get; } = new int[items];

        public void Run(int first, int end, int thread)
        {
            Assert.InRange(thread, 0, threads - 1);
            for (int i = first; i < end; i++)
            {
                Interlocked.Increment(ref Counts[i]);
            }
        }
    }

    // Done only when two threads are in it at the same time.
    private sealed class Meeting : IParallelWork, IDisposable
    {
        private readonly Barrier _barrier = new(2);

        public bool Met { get; private set; }

        public void Run(int first, int end, int thread)
        {
            if (_barrier.SignalAndWait(TimeSpan.FromSeconds(30)))
            {
                Met = true;
            }
        }

        public void Dispose() => _barrier.Dispose();
    }

    private sealed class Failing : IParallelWork
    {
        public void Run(int first, int end, int thread) => throw new InvalidOperationException("as asked");
    }
}
