using LlmCluster.Cluster;

namespace LlmCluster.Tests.Integration.Cluster;

public sealed class InMemoryClusterStateTests : ClusterStateContract
{
    protected override ValueTask<(IClusterState First, IClusterState Second)> ConnectAsync() => InMemory();
}
