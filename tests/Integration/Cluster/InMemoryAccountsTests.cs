using LlmCluster.Cluster;

namespace LlmCluster.Tests.Integration.Cluster;

public sealed class InMemoryAccountsTests : AccountsContract
{
    protected override ValueTask<(IClusterState First, IClusterState Second)> ConnectAsync() => InMemory();
}
