using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using LlmCluster.Cluster;
using LlmCluster.Cluster.Redis;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Cluster;

public sealed class RedisConnectTests
{
    private const string Secret = "pa55 w/rd@";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ConnectsWithAPassword(bool inUrl)
    {
        await using RedisServer server = await RedisServer.StartAsync(Secret);
        RedisOptions options = inUrl
            ? new RedisOptions { Url = server.Url }
            : new RedisOptions { Url = server.Address, Password = Secret };
        await using RedisClusterState state = await RedisClusterState.ConnectAsync(options);
        Assert.Equal(1, await state.NextAsync("counter"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("wrong")]
    public async Task AWrongPasswordIsSaidAndNotRepeated(string? password)
    {
        await using RedisServer server = await RedisServer.StartAsync(Secret);
        var watch = Stopwatch.StartNew();
        var error = await Assert.ThrowsAsync<ClusterStateException>(() => RedisClusterState.ConnectAsync(
            new RedisOptions { Url = server.Address, Password = password, ConnectTimeout = TimeSpan.FromSeconds(30) }));
        Assert.Contains($"Redis at {server.Address} could not be connected to: the password is missing or wrong", error.Message);
        Assert.DoesNotContain(Secret, error.ToString());
        Assert.DoesNotContain("wrong'", error.ToString());
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"Took {watch.Elapsed}.");
    }

    [Fact]
    public async Task ConnectsOverTlsToACertificateThatItWasToldToTrust()
    {
        await using RedisServer server = await RedisServer.StartAsync(Secret, tls: true);
        await using RedisClusterState state = await RedisClusterState.ConnectAsync(
            new RedisOptions { Url = server.Url, CertificateAuthorityFile = server.CertificateFile });
        await state.HeartbeatAsync(SampleWorkers.Snapshot("w"), TimeSpan.FromMinutes(1));
        Assert.Single(await state.GetWorkersAsync());
    }

    [Fact]
    public async Task ACertificateThatNobodyVouchesForIsRefused()
    {
        await using RedisServer server = await RedisServer.StartAsync(Secret, tls: true);
        var error = await Assert.ThrowsAsync<ClusterStateException>(() => RedisClusterState.ConnectAsync(
            new RedisOptions { Url = server.Url, ConnectTimeout = TimeSpan.FromSeconds(1) }));
        Assert.Contains($"Redis at {server.Address} could not be connected to: the password is missing or wrong, or its TLS certificate is not trusted", error.Message);
    }

    [Fact]
    public async Task AnAddressWhereNobodyListensIsNamed()
    {
        int port = FreePort.Next();
        var watch = Stopwatch.StartNew();
        var error = await Assert.ThrowsAsync<ClusterStateException>(() => RedisClusterState.ConnectAsync(
            new RedisOptions { Url = $"redis://:{Uri.EscapeDataString(Secret)}@127.0.0.1:{port}", ConnectTimeout = TimeSpan.FromSeconds(1) }));
        Assert.Contains($"Redis at 127.0.0.1:{port} could not be reached within 1 s", error.Message);
        Assert.DoesNotContain("pa55", error.ToString());
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(15), $"Took {watch.Elapsed}.");
    }

    [Fact]
    public async Task AServerThatNeverAnswersIsGivenUpAtTheDeadline()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var watch = Stopwatch.StartNew();
        var error = await Assert.ThrowsAsync<ClusterStateException>(() => RedisClusterState.ConnectAsync(
            new RedisOptions { Url = silent.LocalEndpoint.ToString()!, ConnectTimeout = TimeSpan.FromSeconds(1) }));
        Assert.Contains("could not be reached", error.Message);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(15), $"Took {watch.Elapsed}.");
    }

    [Fact]
    public async Task AServerThatComesUpLaterIsWaitedFor()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await server.KillAsync();
        Task<RedisClusterState> connecting = RedisClusterState.ConnectAsync(
            new RedisOptions { Url = server.Url, ConnectTimeout = TimeSpan.FromSeconds(60) });
        await server.RestartAsync();
        await using RedisClusterState state = await connecting;
        Assert.Empty(await state.GetWorkersAsync());
    }

    [Fact]
    public async Task ClustersWithDifferentPrefixesDoNotMeet()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using RedisClusterState one = await RedisClusterState.ConnectAsync(new RedisOptions { Url = server.Url, KeyPrefix = "one" });
        await using RedisClusterState two = await RedisClusterState.ConnectAsync(new RedisOptions { Url = server.Url, KeyPrefix = "two" });
        await one.HeartbeatAsync(SampleWorkers.Snapshot("w"), TimeSpan.FromMinutes(1));
        Assert.Empty(await two.GetWorkersAsync());
        Assert.Single(await one.GetWorkersAsync());
    }

    [Fact]
    public async Task NothingStaysInRedisAfterTheLastLease()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using (RedisClusterState state = await RedisClusterState.ConnectAsync(new RedisOptions { Url = server.Url }))
        {
            await state.HeartbeatAsync(SampleWorkers.Snapshot("w"), TimeSpan.FromMilliseconds(200));
        }

        await Eventually.TrueAsync(async () =>
        {
            await using var cli = new TestProcess("redis-cli", ["-p", $"{server.Port}", "DBSIZE"]);
            await cli.WaitForExitAsync();
            return cli.Log.Trim() == "0";
        });
    }

    [Theory]
    [InlineData("", "it is empty")]
    [InlineData("http://127.0.0.1:6379", "its scheme is 'http'")]
    [InlineData("redis://", "it is no URL")]
    [InlineData("redis://127.0.0.1:99999", "it is no URL")]
    [InlineData("redis://secret@127.0.0.1", "before the '@'")]
    [InlineData("redis://user:secret@127.0.0.1", "before the '@'")]
    [InlineData("redis://127.0.0.1/x", "'x' is no database number")]
    [InlineData("redis://127.0.0.1?ssl=true", "it has a query")]
    public async Task AWrongUrlIsRefusedWithoutRepeatingAPassword(string url, string why)
    {
        var error = await Assert.ThrowsAsync<ArgumentException>(() => RedisClusterState.ConnectAsync(new RedisOptions { Url = url }));
        Assert.Contains(why, error.Message);
        Assert.DoesNotContain("secret", error.Message);
    }

    [Fact]
    public async Task WrongOptionsAreNamed()
    {
        var error = await Assert.ThrowsAsync<ArgumentException>(() => RedisClusterState.ConnectAsync(
            new RedisOptions { Url = "127.0.0.1", OperationTimeout = TimeSpan.Zero }));
        Assert.Contains("OperationTimeout", error.Message);
        error = await Assert.ThrowsAsync<ArgumentException>(() => RedisClusterState.ConnectAsync(
            new RedisOptions { Url = "127.0.0.1", KeyPrefix = "a{b" }));
        Assert.Contains("a{b", error.Message);
    }
}
