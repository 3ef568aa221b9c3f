using LlmCluster.Cluster;
using Xunit;

namespace LlmCluster.Tests.Integration.Cluster;

public sealed class RedisReservationsTests(RedisFixture redis) : ReservationsContract, IClassFixture<RedisFixture>
{
    protected override ValueTask<(IClusterState First, IClusterState Second)> ConnectAsync() => ConnectAsync(redis.Server);

    protected override async Task AssertNothingIsLeftAsync()
    {
        await base.AssertNothingIsLeftAsync();
        IReadOnlyList<string> keys = await redis.Server.RunAsync("--scan", "--pattern", $"{{{KeyPrefix}}}:r*");
        Assert.Empty(keys);
    }
}
