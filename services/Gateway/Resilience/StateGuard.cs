using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Resilience;

/// <summary>
/// Keeps requests from waiting for a cluster state that is slow or away: each operation has a short deadline, and after a failure none is tried for a moment. Whoever asks
/// goes on without the answer. Members may be called from any thread.
/// </summary>
internal sealed class StateGuard(StateHealth health, GatewayOptions options)
{
    /// <summary>Raised when an operation succeeds after others failed, on the thread of whoever asked for it.</summary>
    public event Action? Recovered;

    /// <summary>Runs an operation.</summary>
    /// <param name="operation">The operation.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Whether it succeeded, and its result if so.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async ValueTask<(bool Succeeded, T? Result)> TryAsync<T>(Func<CancellationToken, ValueTask<T>> operation, CancellationToken cancellationToken)
    {
        if (!health.MayTry())
        {
            return (false, default);
        }

        bool wasDegraded = health.IsDegraded;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(options.StateTimeout);
        try
        {
            T result = await operation(patience.Token).ConfigureAwait(false);
            health.Succeeded();
            if (wasDegraded)
            {
                Recovered?.Invoke();
            }

            return (true, result);
        }
        catch (ClusterStateException e)
        {
            health.Failed(e);
        }
        catch (ObjectDisposedException e)
        {
            // The state ended before the gateway.
            health.Failed(e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            health.Failed(new TimeoutException($"No answer within {options.StateTimeout.TotalSeconds:0.###} s.", e));
        }

        return (false, default);
    }

    /// <summary>Runs an operation without a result.</summary>
    /// <returns>Whether it succeeded.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async ValueTask<bool> TryAsync(Func<CancellationToken, ValueTask> operation, CancellationToken cancellationToken)
    {
        (bool succeeded, _) = await TryAsync(
            async token =>
            {
                await operation(token).ConfigureAwait(false);
                return true;
            },
            cancellationToken).ConfigureAwait(false);
        return succeeded;
    }
}
