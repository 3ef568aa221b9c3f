using LlmCluster.Cluster;
using LlmCluster.Testing;
using Xunit;
using static LlmCluster.Tests.Integration.Cluster.SampleWorkers;

namespace LlmCluster.Tests.Integration.Cluster;

/// <summary>What every <see cref="IClusterState"/> must do, seen through two connections to one cluster.</summary>
public abstract class ClusterStateContract : StateContract
{
    [Fact]
    public async Task AnEmptyClusterHasNoWorkers() => Assert.Empty(await First.GetWorkersAsync());

    [Fact]
    public async Task EverythingThatAWorkerSaysIsRead()
    {
        WorkerSnapshot worker = Snapshot("w", WorkerRole.Prefill, WorkerStatus.Draining, running: 7);
        await First.HeartbeatAsync(worker, Long);
        Assert.Equal(worker, Assert.Single(await Second.GetWorkersAsync()));
    }

    [Fact]
    public async Task WorkersAreOrderedByIdOrdinally()
    {
        string[] ids = ["b", "a10", "a2", "B", "é", "A"];
        foreach (string id in ids)
        {
            await First.HeartbeatAsync(Snapshot(id), Long);
        }

        Assert.Equal(ids.Order(StringComparer.Ordinal), (await Second.GetWorkersAsync()).Ids());
    }

    [Fact]
    public async Task AHeartbeatUpdatesStatusAndLoad()
    {
        await First.HeartbeatAsync(Snapshot("w"), Long);
        WorkerSnapshot updated = Snapshot("w", status: WorkerStatus.Draining, running: 3);
        await First.HeartbeatAsync(updated, Long);
        Assert.Equal(updated, Assert.Single(await Second.GetWorkersAsync()));
    }

    [Fact]
    public async Task AWorkerThatLeftIsGoneAtOnceAndLeavingTwiceIsNoError()
    {
        await First.HeartbeatAsync(Snapshot("a"), Long);
        await First.HeartbeatAsync(Snapshot("b"), Long);
        await First.LeaveAsync("a");
        await First.LeaveAsync("a");
        await Second.LeaveAsync("never joined");
        Assert.Equal(["b"], (await Second.GetWorkersAsync()).Ids());
    }

    [Fact]
    public async Task AWorkerMayJoinAgain()
    {
        await First.HeartbeatAsync(Snapshot("w"), Long);
        await First.LeaveAsync("w");
        await First.HeartbeatAsync(Snapshot("w", WorkerRole.Mixed), Long);
        Assert.Equal(WorkerRole.Mixed, Assert.Single(await Second.GetWorkersAsync()).Info.Role);
    }

    [Fact]
    public async Task AWorkerWithoutHeartbeatsVanishesAndTheOthersStay()
    {
        await First.HeartbeatAsync(Snapshot("stays"), Long);
        await First.HeartbeatAsync(Snapshot("vanishes"), Short);
        Assert.Equal(["stays", "vanishes"], (await Second.GetWorkersAsync()).Ids());
        await Eventually.ValueAsync(() => Second.GetWorkersAsync(), workers => workers.Ids().SequenceEqual(["stays"]));
    }

    [Fact]
    public async Task HeartbeatsKeepAWorkerBeyondItsFirstLease()
    {
        TimeSpan lease = TimeSpan.FromSeconds(1);
        long start = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(start) < 3 * lease)
        {
            long beat = TimeProvider.System.GetTimestamp();
            await First.HeartbeatAsync(Snapshot("w"), lease);
            IReadOnlyList<WorkerSnapshot> workers = await Second.GetWorkersAsync();
            if (TimeProvider.System.GetElapsedTime(beat) < lease / 2)
            {
                Assert.Single(workers);
            }

            await Task.Delay(50);
        }

        await Eventually.ValueAsync(() => Second.GetWorkersAsync(), workers => workers.Count == 0);
    }

    [Fact]
    public async Task AHeartbeatMayShortenTheLease()
    {
        await First.HeartbeatAsync(Snapshot("w"), Long);
        await First.HeartbeatAsync(Snapshot("w"), Short);
        await Eventually.ValueAsync(() => Second.GetWorkersAsync(), workers => workers.Count == 0);
    }

    [Fact]
    public async Task AWatchYieldsAtOnceThenOnJoinStatusChangeAndLeave()
    {
        await using var watch = new Hints(Second);
        await watch.NextAsync();

        await First.HeartbeatAsync(Snapshot("w"), Long);
        await watch.UntilAsync(async () => (await Second.GetWorkersAsync()).Count == 1);

        await First.HeartbeatAsync(Snapshot("w", status: WorkerStatus.Draining), Long);
        await watch.UntilAsync(async () => (await Second.GetWorkersAsync())[0].Status == WorkerStatus.Draining);

        await First.LeaveAsync("w");
        await watch.UntilAsync(async () => (await Second.GetWorkersAsync()).Count == 0);
    }

    [Fact]
    public async Task AWatchYieldsWhenALeaseEnds()
    {
        await using var watch = new Hints(Second);
        await First.HeartbeatAsync(Snapshot("w"), Short);
        await watch.UntilAsync(async () => (await Second.GetWorkersAsync()).Count == 1);
        await watch.UntilAsync(async () => (await Second.GetWorkersAsync()).Count == 0);
    }

    [Fact]
    public async Task EveryWatcherHearsOfAChange()
    {
        await using var one = new Hints(First);
        await using var two = new Hints(Second);
        await using var three = new Hints(Second);
        await one.NextAsync();
        await two.NextAsync();
        await three.NextAsync();
        await First.HeartbeatAsync(Snapshot("w"), Long);
        foreach (Hints watch in new[] { one, two, three })
        {
            await watch.UntilAsync(async () => (await First.GetWorkersAsync()).Count == 1);
        }
    }

    [Fact]
    public async Task ACancelledWatchEnds()
    {
        using var cancellation = new CancellationTokenSource();
        await using IAsyncEnumerator<long> watch = First.WatchAsync(cancellation.Token).GetAsyncEnumerator();
        Assert.True(await watch.MoveNextAsync());
        Task ending = Task.Run(async () =>
        {
            while (await watch.MoveNextAsync())
            {
                // Hints without a change are allowed.
            }
        });
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ending.WaitAsync(Eventually.DefaultDeadline));
    }

    [Fact]
    public async Task DisposingEndsWatches()
    {
        IAsyncEnumerator<long> watch = Second.WatchAsync().GetAsyncEnumerator();
        Assert.True(await watch.MoveNextAsync());
        Task ending = Task.Run(async () =>
        {
            while (await watch.MoveNextAsync())
            {
                // Hints without a change are allowed.
            }
        });
        await Second.DisposeAsync();
        await ending.WaitAsync(Eventually.DefaultDeadline);
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await Second.GetWorkersAsync());
    }

    [Fact]
    public async Task ConcurrentHeartbeatsOfFiftyWorkersAreAllKept()
    {
        string[] ids = [.. Enumerable.Range(0, 50).Select(i => $"worker-{i:00}")];
        await Task.WhenAll(ids.Select((id, index) => Task.Run(async () =>
        {
            IClusterState state = index % 2 == 0 ? First : Second;
            for (int beat = 1; beat <= 20; beat++)
            {
                await state.HeartbeatAsync(Snapshot(id, running: beat), Long);
                Assert.Contains(await state.GetWorkersAsync(), worker => worker.Info.Id == id && worker.Load.Running == beat);
            }
        })));

        IReadOnlyList<WorkerSnapshot> workers = await First.GetWorkersAsync();
        Assert.Equal(ids, workers.Ids());
        Assert.All(workers, worker => Assert.Equal(20, worker.Load.Running));
        Assert.Equal(workers, await Second.GetWorkersAsync());
    }

    [Fact]
    public async Task ACounterIsSharedAndGivesEachValueOnce()
    {
        long[][] values = await Task.WhenAll(Enumerable.Range(0, 20).Select(index => Task.Run(async () =>
        {
            IClusterState state = index % 2 == 0 ? First : Second;
            var mine = new long[50];
            for (int i = 0; i < mine.Length; i++)
            {
                mine[i] = await state.NextAsync("prefill");
            }

            return mine;
        })));
        Assert.Equal(Enumerable.Range(1, 1000).Select(value => (long)value), values.SelectMany(mine => mine).Order());
        Assert.Equal(1, await Second.NextAsync("decode"));
    }

    [Fact]
    public async Task TwoGatewaysViewsConverge()
    {
        await using var left = new ClusterView(First);
        await using var right = new ClusterView(Second);
        await left.StartAsync();
        await right.StartAsync();
        using var deadline = new CancellationTokenSource(Eventually.DefaultDeadline);

        WorkerSnapshot[] workers = [Snapshot("a", WorkerRole.Prefill), Snapshot("b"), Snapshot("c", WorkerRole.Mixed)];
        await Task.WhenAll(workers.Select((worker, index) => (index % 2 == 0 ? First : Second).HeartbeatAsync(worker, Long).AsTask()));
        await First.HeartbeatAsync(workers[1] = Snapshot("b", status: WorkerStatus.Draining), Long);
        await Second.LeaveAsync("a");

        foreach (ClusterView view in new[] { left, right })
        {
            Assert.Equal(workers[1..], await view.WaitForAsync(seen => seen.SequenceEqual(workers[1..]), deadline.Token));
        }
    }

    [Fact]
    public async Task WrongArgumentsAreRefused()
    {
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.HeartbeatAsync(Snapshot(" "), Long));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.HeartbeatAsync(Snapshot("w"), TimeSpan.Zero));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.HeartbeatAsync(Snapshot("w"), Timeout.InfiniteTimeSpan));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.LeaveAsync(""));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.NextAsync(""));
        Assert.Empty(await First.GetWorkersAsync());
    }

    [Fact]
    public async Task ACancelledCallThrows()
    {
        var cancelled = new CancellationToken(canceled: true);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await First.GetWorkersAsync(cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await First.HeartbeatAsync(Snapshot("w"), Long, cancelled));
        Assert.Empty(await First.GetWorkersAsync());
    }
}
