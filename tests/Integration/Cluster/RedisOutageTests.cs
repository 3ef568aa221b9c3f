using System.Diagnostics;
using LlmCluster.Cluster;
using LlmCluster.Cluster.Accounts;
using LlmCluster.Cluster.Directory;
using LlmCluster.Cluster.Redis;
using LlmCluster.Cluster.Reservations;
using LlmCluster.Testing;
using Xunit;
using static LlmCluster.Tests.Integration.Cluster.SampleWorkers;

namespace LlmCluster.Tests.Integration.Cluster;

/// <summary>What happens while Redis is away, slow or new again.</summary>
public sealed class RedisOutageTests
{
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(1);
    private static readonly RoomReservation Room = new("r", [new RoomClaim("w", 10, 100, 1, BlockLimit: 100)]);
    private static readonly AccountLimits Limits = new() { RequestsPerMinute = 100, TokensPerMinute = 1000, TokenBudget = 10_000 };

    [Fact]
    public async Task OperationsFailClearlyWhileRedisIsAwayAndWorkAgainAfterwards()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using RedisClusterState state = await RedisClusterState.ConnectAsync(new RedisOptions { Url = server.Url });
        await state.HeartbeatAsync(Snapshot("w"), Lease);

        await server.KillAsync();
        var watch = Stopwatch.StartNew();
        foreach (Func<Task> operation in Operations(state))
        {
            var error = await Assert.ThrowsAsync<ClusterStateException>(operation);
            Assert.Contains(server.Address, error.Message);
        }

        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(15), $"Failing took {watch.Elapsed}.");

        await server.RestartAsync();
        await Eventually.TrueAsync(() => SucceedsAsync(() => state.GetWorkersAsync().AsTask()));
        foreach (Func<Task> operation in Operations(state))
        {
            await operation();
        }
    }

    [Fact]
    public async Task WorkersReappearByTheirHeartbeatsInARedisThatCameBackEmpty()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        var options = new RedisOptions { Url = server.Url };
        await using RedisClusterState worker = await RedisClusterState.ConnectAsync(options);
        await using RedisClusterState gateway = await RedisClusterState.ConnectAsync(options);
        await using var view = new ClusterView(gateway);
        await view.StartAsync();
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var stop = new CancellationTokenSource();
        Task heartbeats = BeatAsync(worker, "w", stop.Token);
        await view.WaitForAsync(workers => workers.Count == 1, deadline.Token);

        await server.KillAsync();
        await Eventually.TrueAsync(() => !view.IsFresh);
        Assert.Equal(["w"], view.Workers.Ids());

        await server.RestartAsync();
        await Eventually.TrueAsync(() => view.IsFresh);
        await view.WaitForAsync(workers => workers.Ids().SequenceEqual(["w"]), deadline.Token);
        await stop.CancelAsync();
        await heartbeats;
    }

    [Fact]
    public async Task AnEmptyRedisForgetsBlocksAndReservationsUntilTheyAreToldAgain()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using RedisClusterState state = await RedisClusterState.ConnectAsync(new RedisOptions { Url = server.Url });
        BlockChange[] blocks = [new(1, BlockTier.Device), new(2, BlockTier.Host)];
        ulong[] prompt = [1, 2, 3];
        await state.HeartbeatAsync(Snapshot("w"), Lease);
        Assert.True(await state.Directory.PublishAsync("w", blocks, restart: true));
        await state.Reservations.TryReserveAsync(Room, Lease);

        await server.KillAsync();
        await server.RestartAsync();
        await Eventually.TrueAsync(() => SucceedsAsync(() => state.GetWorkersAsync().AsTask()));
        Assert.Empty(await state.Directory.FindAsync(prompt));
        Assert.Empty(await state.Reservations.GetReservedAsync());

        await state.Reservations.RenewAsync([Room], Lease);
        await state.HeartbeatAsync(Snapshot("w"), Lease);
        Assert.False(await state.Directory.PublishAsync("w", blocks, restart: false));
        Assert.True(await state.Directory.PublishAsync("w", blocks, restart: true));
        Assert.Equal([new PrefixMatch("w", 1, 2)], await state.Directory.FindAsync(prompt));
        Assert.Equal(new ReservedRoom(10, 100, 1), Assert.Single(await state.GetWorkersAsync()).Reserved);
    }

    [Fact]
    public async Task PubSubWorksAgainAfterAnOutage()
    {
        await using RedisServer server = await RedisServer.StartAsync();

        // No periodic hints: what comes after the outage is published, or the connection's return itself.
        var options = new RedisOptions { Url = server.Url, WatchInterval = TimeSpan.FromHours(1) };
        await using RedisClusterState worker = await RedisClusterState.ConnectAsync(options);
        await using RedisClusterState gateway = await RedisClusterState.ConnectAsync(options);
        await using var hints = new Hints(gateway);
        await hints.NextAsync();

        await server.KillAsync();
        await Eventually.TrueAsync(async () => !await SucceedsAsync(() => gateway.GetWorkersAsync().AsTask()));
        await server.RestartAsync();
        await Eventually.TrueAsync(() => SucceedsAsync(() => worker.HeartbeatAsync(Snapshot("one"), Lease).AsTask()));
        await Eventually.TrueAsync(() => SucceedsAsync(() => gateway.GetWorkersAsync().AsTask()));
        await hints.UntilAsync(async () => (await gateway.GetWorkersAsync()).Count == 1);

        // By now the subscription may still be under way; it is in place once a change is heard without another hint.
        int joined = 1;
        await Eventually.TrueAsync(async () =>
        {
            await worker.HeartbeatAsync(Snapshot($"more-{joined++}"), Lease);
            using var soon = new CancellationTokenSource(TimeSpan.FromSeconds(1));
            await using IAsyncEnumerator<long> fresh = gateway.WatchAsync(soon.Token).GetAsyncEnumerator();
            await fresh.MoveNextAsync();
            await worker.HeartbeatAsync(Snapshot($"more-{joined++}"), Lease);
            try
            {
                return await fresh.MoveNextAsync();
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        });
    }

    [Fact]
    public async Task AFrozenRedisCostsNoMoreThanTheDeadline()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using RedisClusterState state = await RedisClusterState.ConnectAsync(
            new RedisOptions { Url = server.Url, OperationTimeout = TimeSpan.FromMilliseconds(300) });
        await state.GetWorkersAsync();

        server.Freeze();
        var watch = Stopwatch.StartNew();
        var error = await Assert.ThrowsAsync<ClusterStateException>(async () => await state.GetWorkersAsync());
        Assert.Contains("did not answer within 0.3 s", error.Message);
        Assert.InRange(watch.Elapsed.TotalSeconds, 0.25, 10);

        server.Thaw();
        await Eventually.TrueAsync(() => SucceedsAsync(() => state.GetWorkersAsync().AsTask()));
    }

    [Fact]
    public async Task AWaitThatTheCallerCancelsEndsAtOnce()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using RedisClusterState state = await RedisClusterState.ConnectAsync(
            new RedisOptions { Url = server.Url, OperationTimeout = TimeSpan.FromMinutes(5) });
        server.Freeze();
        using var cancellation = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => state.GetWorkersAsync(cancellation.Token).AsTask().WaitAsync(Eventually.DefaultDeadline));
        server.Thaw();
    }

    [Fact]
    public async Task AnEntryThatCantBeReadHidesNoOther()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using RedisClusterState state = await RedisClusterState.ConnectAsync(new RedisOptions { Url = server.Url });
        await state.HeartbeatAsync(Snapshot("w"), Lease);
        await server.RunAsync("HSET", "{llmcluster}:workers", "x", "{\"info\":1}");
        Assert.Equal(["w"], (await state.GetWorkersAsync()).Ids());
    }

    private static IEnumerable<Func<Task>> Operations(IClusterState state) =>
    [
        () => state.GetWorkersAsync().AsTask(),
        () => state.HeartbeatAsync(Snapshot("other"), Lease).AsTask(),
        () => state.NextAsync("counter").AsTask(),
        () => state.Directory.PublishAsync("w", new BlockChange[] { new(1, BlockTier.Device) }, restart: true).AsTask(),
        () => state.Directory.FindAsync(new ulong[] { 1 }).AsTask(),
        () => state.Directory.GetUseAsync().AsTask(),
        () => state.Reservations.TryReserveAsync(Room, Lease).AsTask(),
        () => state.Reservations.PrefillDoneAsync(Room.Id, "w").AsTask(),
        () => state.Reservations.RenewAsync([Room], Lease).AsTask(),
        () => state.Reservations.GetReservedAsync().AsTask(),
        () => state.Reservations.ReleaseAsync(Room.Id, "w").AsTask(),
        () => state.Reservations.ReleaseAsync(Room.Id).AsTask(),
        () => state.Accounts.TryChargeAsync("a", Limits, 1).AsTask(),
        () => state.Accounts.RefundAsync("a", Limits, 1).AsTask(),
        () => state.Accounts.AddServiceAsync("a", 1, []).AsTask(),
        () => state.LeaveAsync("w").AsTask(),
    ];

    private static async Task BeatAsync(IClusterState state, string id, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            await SucceedsAsync(() => state.HeartbeatAsync(Snapshot(id), Lease, CancellationToken.None).AsTask());
            await Task.Delay(50, CancellationToken.None);
        }
    }

    private static async ValueTask<bool> SucceedsAsync(Func<Task> operation)
    {
        try
        {
            await operation();
            return true;
        }
        catch (ClusterStateException)
        {
            return false;
        }
    }
}
