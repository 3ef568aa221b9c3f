using LlmCluster.Cluster;
using Xunit;

namespace LlmCluster.Tests.Integration.Cluster;

public sealed class RedisDirectoryTests(RedisFixture redis) : DirectoryContract, IClassFixture<RedisFixture>
{
    protected override ValueTask<(IClusterState First, IClusterState Second)> ConnectAsync() => ConnectAsync(redis.Server);
}
