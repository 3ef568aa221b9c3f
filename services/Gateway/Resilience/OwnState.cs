using LlmCluster.Cluster.Accounts;
using LlmCluster.Cluster.InMemory;

namespace LlmCluster.Gateway.Resilience;

/// <summary>What this gateway keeps for itself while the cluster's state can't be reached.</summary>
internal sealed class OwnState(TimeProvider time) : IAsyncDisposable
{
    private readonly InMemoryClusterState _state = new(time);

    /// <summary>What keys used through this gateway.</summary>
    public IAccounts Accounts => _state.Accounts;

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _state.DisposeAsync();
}
