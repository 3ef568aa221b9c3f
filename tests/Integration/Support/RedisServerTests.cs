using System.Net.Sockets;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Support;

public sealed class RedisServerTests
{
    [Fact]
    public async Task AcceptsConnectionsUntilItIsKilledAndAgainAfterARestart()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        Assert.True(await AcceptsAsync(server));

        await server.KillAsync();
        Assert.False(server.IsRunning);
        Assert.False(await AcceptsAsync(server));

        int port = server.Port;
        await server.RestartAsync();
        Assert.Equal(port, server.Port);
        Assert.True(await AcceptsAsync(server));
    }

    [Fact]
    public async Task TwoServersRunSideBySide()
    {
        await using RedisServer first = await RedisServer.StartAsync();
        await using RedisServer second = await RedisServer.StartAsync();
        Assert.NotEqual(first.Port, second.Port);
    }

    private static async Task<bool> AcceptsAsync(RedisServer server)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync("127.0.0.1", server.Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
