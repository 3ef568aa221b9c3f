using LlmCluster.Cluster;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Cluster;

public sealed class ClusterViewTests
{
    private static readonly ClusterViewOptions OnHintsOnly = new() { RefreshInterval = TimeSpan.FromHours(1) };
    private static readonly ClusterViewOptions Often = new() { RefreshInterval = TimeSpan.FromMilliseconds(5) };

    [Fact]
    public async Task IsFilledWhenItHasStarted()
    {
        var state = new FakeClusterState { Workers = [Snapshot("a")] };
        await using var view = new ClusterView(state, OnHintsOnly);
        Assert.Empty(view.Workers);
        await view.StartAsync();
        Assert.Equal("a", Assert.Single(view.Workers).Info.Id);
        Assert.True(view.IsFresh);
    }

    [Fact]
    public async Task IsReadAnewOnAHint()
    {
        var state = new FakeClusterState();
        await using var view = new ClusterView(state, OnHintsOnly);
        await view.StartAsync();
        state.Workers = [Snapshot("a")];
        state.Hint();
        await Eventually.TrueAsync(() => view.Workers.Count == 1);
    }

    [Fact]
    public async Task IsReadAnewWithoutHints()
    {
        var state = new FakeClusterState();
        await using var view = new ClusterView(state, Often);
        await view.StartAsync();
        state.Workers = [Snapshot("a")];
        await Eventually.TrueAsync(() => view.Workers.Count == 1);
    }

    [Fact]
    public async Task StaysAsItWasWhileTheStateCannotBeReached()
    {
        var state = new FakeClusterState { Workers = [Snapshot("a")] };
        await using var view = new ClusterView(state, Often);
        await view.StartAsync();
        state.Failure = new ClusterStateException("gone");
        await Eventually.TrueAsync(() => !view.IsFresh);
        Assert.Equal("a", Assert.Single(view.Workers).Info.Id);

        state.Workers = [Snapshot("b")];
        state.Failure = null;
        await Eventually.TrueAsync(() => view.IsFresh);
        await Eventually.TrueAsync(() => view.Workers is [{ Info.Id: "b" }]);
    }

    [Theory]
    [InlineData(3600, "a b")]
    [InlineData(0, "b")]
    public async Task KeepsThoseThatAStateMayHaveForgottenUntilTheyHadTimeToRejoin(int seconds, string expected)
    {
        var state = new FakeClusterState { Workers = [Snapshot("a")] };
        await using var view = new ClusterView(state, Often with { RejoinTime = TimeSpan.FromSeconds(seconds) });
        await view.StartAsync();
        state.Failure = new ClusterStateException("gone");
        await Eventually.TrueAsync(() => !view.IsFresh);
        state.Workers = [Snapshot("b")];
        state.Failure = null;
        await Eventually.TrueAsync(() => view.IsFresh && view.Workers.Any(worker => worker.Info.Id == "b"));
        int reads = state.Reads;
        await Eventually.TrueAsync(() => state.Reads > reads + 3);
        Assert.Equal(expected, string.Join(' ', view.Workers.Select(worker => worker.Info.Id)));
    }

    [Fact]
    public async Task StartsWithAStateThatCannotBeReached()
    {
        var state = new FakeClusterState { Failure = new ClusterStateException("not yet") };
        await using var view = new ClusterView(state, Often);
        await view.StartAsync();
        Assert.False(view.IsFresh);
        state.Workers = [Snapshot("a")];
        state.Failure = null;
        await Eventually.TrueAsync(() => view.Workers.Count == 1);
    }

    [Fact]
    public async Task ChangedIsRaisedForMembersAndStatusButNotForLoad()
    {
        var state = new FakeClusterState();
        await using var view = new ClusterView(state, OnHintsOnly);
        var seen = new List<string>();
        view.Changed += workers => seen.Add(string.Join(' ', workers.Select(w => $"{w.Info.Id}:{w.Status}")));
        await view.StartAsync();

        foreach (IReadOnlyList<WorkerSnapshot> next in (IReadOnlyList<WorkerSnapshot>[])
            [[Snapshot("a")], [Snapshot("a", running: 9)], [Snapshot("a", WorkerStatus.Draining)], []])
        {
            int reads = state.Reads;
            state.Workers = next;
            state.Hint();
            await Eventually.TrueAsync(() => state.Reads > reads && ReferenceEquals(view.Workers, next));
        }

        await view.StopAsync();
        Assert.Equal(["a:Ready", "a:Draining", ""], seen);
    }

    [Fact]
    public async Task AFailingHandlerDoesNotStopIt()
    {
        var state = new FakeClusterState();
        await using var view = new ClusterView(state, Often);
        view.Changed += _ => throw new InvalidOperationException("handler");
        await view.StartAsync();
        state.Workers = [Snapshot("a")];
        await Eventually.TrueAsync(() => view.Workers.Count == 1);
        state.Workers = [Snapshot("a"), Snapshot("b")];
        await Eventually.TrueAsync(() => view.Workers.Count == 2);
    }

    [Fact]
    public async Task WaitsForAConditionOnWorkersOrLoad()
    {
        var state = new FakeClusterState();
        await using var view = new ClusterView(state, Often);
        await view.StartAsync();
        Task<IReadOnlyList<WorkerSnapshot>> waiting = view.WaitForAsync(
            workers => workers.Any(worker => worker.Load.Running == 3), CancellationToken.None);
        state.Workers = [Snapshot("a")];
        await Eventually.TrueAsync(() => view.Workers.Count == 1);
        Assert.False(waiting.IsCompleted);
        state.Workers = [Snapshot("a", running: 3)];
        Assert.Equal(3, (await waiting.WaitAsync(Eventually.DefaultDeadline))[0].Load.Running);
    }

    [Fact]
    public async Task AWaitEndsWithItsTokenOrWithTheView()
    {
        await using var view = new ClusterView(new FakeClusterState(), Often);
        await view.StartAsync();
        using var cancellation = new CancellationTokenSource();
        Task one = view.WaitForAsync(_ => false, cancellation.Token);
        Task two = view.WaitForAsync(_ => false, CancellationToken.None);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one.WaitAsync(Eventually.DefaultDeadline));
        await view.StopAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => two.WaitAsync(Eventually.DefaultDeadline));
    }

    [Fact]
    public async Task AStoppedViewReadsNoMore()
    {
        var state = new FakeClusterState { Workers = [Snapshot("a")] };
        await using var view = new ClusterView(state, Often);
        await view.StartAsync();
        await view.StopAsync();
        int reads = state.Reads;
        state.Hint();
        await Task.Delay(50);
        Assert.Equal(reads, state.Reads);
        Assert.Single(view.Workers);
    }

    private static WorkerSnapshot Snapshot(string id, WorkerStatus status = WorkerStatus.Ready, int running = 0) => new(
        new WorkerInfo
        {
            Id = id,
            Role = WorkerRole.Mixed,
            Model = "m",
            ModelFingerprint = "f",
            LayoutFingerprint = "l",
            HttpEndpoint = new Uri("http://127.0.0.1:1"),
            GrpcEndpoint = new Uri("http://127.0.0.1:2"),
            TotalBlocks = 1,
            BlockSize = 16,
            ContextLength = 64,
        },
        status,
        new WorkerLoad { Running = running });
}
