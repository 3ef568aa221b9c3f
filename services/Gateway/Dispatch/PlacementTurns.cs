using LlmCluster.Cluster;
using LlmCluster.Gateway.Resilience;

namespace LlmCluster.Gateway.Dispatch;

/// <summary>Numbers requests across all gateways; across this one alone while the shared state can't be reached.</summary>
internal sealed class PlacementTurns(IClusterState state, StateGuard guard)
{
    private const string Counter = "placement";

    private long _own;

    /// <summary>The next number, from 1.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async ValueTask<long> NextAsync(CancellationToken cancellationToken)
    {
        long own = Interlocked.Increment(ref _own);
        (bool succeeded, long turn) = await guard.TryAsync(token => state.NextAsync(Counter, token), cancellationToken).ConfigureAwait(false);
        return succeeded ? turn : own;
    }
}
