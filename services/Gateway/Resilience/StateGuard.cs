using LlmCluster.Cluster;
using Polly;
using Polly.CircuitBreaker;
using Polly.Timeout;

namespace LlmCluster.Gateway.Resilience;

/// <summary>
/// Keeps requests from waiting for a cluster state that is slow or away: each operation has a short deadline, and after failures none is tried for a moment. Whoever asks
/// goes on without the answer. Members may be called from any thread.
/// </summary>
internal sealed partial class StateGuard
{
    private static readonly TimeSpan Break = TimeSpan.FromSeconds(1);

    private readonly ResiliencePipeline _pipeline;
    private readonly ILogger _logger;
    private volatile bool _degraded;

    public StateGuard(GatewayOptions options, ILogger<StateGuard> logger)
    {
        _logger = logger;
        _pipeline = new ResiliencePipelineBuilder()
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions
            {
                // A state that fails one call in twenty is not worth the wait of the others.
                FailureRatio = 0.05,
                MinimumThroughput = 2,
                SamplingDuration = Break,
                BreakDuration = Break,
                ShouldHandle = new PredicateBuilder().Handle<ClusterStateException>().Handle<TimeoutRejectedException>(),
            })
            .AddTimeout(options.StateTimeout)
            .Build();
    }

    /// <summary>Raised when an operation succeeds after others failed, on the thread of whoever asked for it.</summary>
    public event Action? Recovered;

    /// <summary>Whether the last operation failed.</summary>
    public bool IsDegraded => _degraded;

    /// <summary>Runs an operation.</summary>
    /// <param name="what">What it does, for the log.</param>
    /// <param name="operation">The operation.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Whether it succeeded, and its result if so.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async ValueTask<(bool Succeeded, T? Result)> TryAsync<T>(
        string what, Func<CancellationToken, ValueTask<T>> operation, CancellationToken cancellationToken)
    {
        try
        {
            T result = await _pipeline.ExecuteAsync(operation, cancellationToken).ConfigureAwait(false);
            if (_degraded)
            {
                _degraded = false;
                LogRecovered();
                Recovered?.Invoke();
            }

            return (true, result);
        }
        catch (Exception e) when (e is ClusterStateException or ExecutionRejectedException or ObjectDisposedException)
        {
            if (!_degraded)
            {
                _degraded = true;
                LogDegraded(what, e.Message);
            }

            return (false, default);
        }
    }

    /// <summary>Runs an operation without a result.</summary>
    /// <returns>Whether it succeeded.</returns>
    public async ValueTask<bool> TryAsync(string what, Func<CancellationToken, ValueTask> operation, CancellationToken cancellationToken)
    {
        (bool succeeded, _) = await TryAsync(
            what,
            async token =>
            {
                await operation(token).ConfigureAwait(false);
                return true;
            },
            cancellationToken).ConfigureAwait(false);
        return succeeded;
    }

    [LoggerMessage(LogLevel.Warning, "The cluster's state does not answer ({what}): placing by what this gateway knows itself: {reason}")]
    private partial void LogDegraded(string what, string reason);

    [LoggerMessage(LogLevel.Information, "The cluster's state answers again")]
    private partial void LogRecovered();
}
