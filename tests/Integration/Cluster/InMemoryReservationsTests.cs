using LlmCluster.Cluster;

namespace LlmCluster.Tests.Integration.Cluster;

public sealed class InMemoryReservationsTests : ReservationsContract
{
    protected override ValueTask<(IClusterState First, IClusterState Second)> ConnectAsync() => InMemory();
}
