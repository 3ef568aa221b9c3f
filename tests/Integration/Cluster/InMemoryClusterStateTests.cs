using LlmCluster.Cluster;
using LlmCluster.Cluster.InMemory;

namespace LlmCluster.Tests.Integration.Cluster;

public sealed class InMemoryClusterStateTests : ClusterStateContract
{
    protected override ValueTask<(IClusterState First, IClusterState Second)> ConnectAsync()
    {
        var state = new InMemoryClusterState();
        return ValueTask.FromResult<(IClusterState, IClusterState)>((state, state));
    }
}
