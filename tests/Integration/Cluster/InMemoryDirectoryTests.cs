using LlmCluster.Cluster;

namespace LlmCluster.Tests.Integration.Cluster;

public sealed class InMemoryDirectoryTests : DirectoryContract
{
    protected override ValueTask<(IClusterState First, IClusterState Second)> ConnectAsync() => InMemory();
}
