using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Dispatch;

/// <summary>Numbers requests across all gateways; across this one alone while the shared state can't be reached.</summary>
internal sealed partial class PlacementTurns(IClusterState state, ILogger<PlacementTurns> logger)
{
    private const string Counter = "placement";

    private long _own;

    public async ValueTask<long> NextAsync(CancellationToken cancellationToken)
    {
        long own = Interlocked.Increment(ref _own);
        try
        {
            return await state.NextAsync(Counter, cancellationToken).ConfigureAwait(false);
        }
        catch (ClusterStateException e)
        {
            LogOwnTurn(e.Message);
            return own;
        }
    }

    [LoggerMessage(LogLevel.Debug, "Placing by this gateway's own turns: {reason}")]
    private partial void LogOwnTurn(string reason);
}
