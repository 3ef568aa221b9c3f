using LlmCluster.Cluster;
using Xunit;

namespace LlmCluster.Tests.Integration.Cluster;

public sealed class RedisClusterStateTests(RedisFixture redis) : ClusterStateContract, IClassFixture<RedisFixture>
{
    protected override ValueTask<(IClusterState First, IClusterState Second)> ConnectAsync() => ConnectAsync(redis.Server);
}
