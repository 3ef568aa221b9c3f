using LlmCluster.Cluster;
using LlmCluster.Cluster.Redis;
using Xunit;

namespace LlmCluster.Tests.Integration.Cluster;

public sealed class RedisClusterStateTests(RedisFixture redis) : ClusterStateContract, IClassFixture<RedisFixture>
{
    protected override async ValueTask<(IClusterState First, IClusterState Second)> ConnectAsync()
    {
        var options = new RedisOptions { Url = redis.Server.Url, KeyPrefix = Guid.NewGuid().ToString("N") };
        return (await RedisClusterState.ConnectAsync(options), await RedisClusterState.ConnectAsync(options));
    }
}
