using LlmCluster.Cluster;
using LlmCluster.Gateway.Telemetry;

namespace LlmCluster.Gateway.Resilience;

/// <summary>
/// Whether the cluster's state answers. While it doesn't, one call a second tries it and all others do without at once, so that an outage costs requests no time. It is
/// told once when an outage begins and once when it ends.
/// </summary>
internal sealed partial class StateHealth : IDisposable
{
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly ILogger<StateHealth> _logger;
    private readonly ClusterView? _view;
    private bool _degraded;
    private long _tried;

    public StateHealth(TimeProvider time, ILogger<StateHealth> logger, ClusterView? view = null)
    {
        (_time, _logger, _view) = (time, logger, view);
        GatewayMetrics.Add(this);
    }

    /// <summary>Whether the last call failed.</summary>
    public bool IsDegraded
    {
        get
        {
            lock (_lock)
            {
                return _degraded;
            }
        }
    }

    /// <summary>Whether requests go by what was last known; without requests, the view of the workers tells.</summary>
    public bool IsLastView => IsDegraded || _view is { IsFresh: false };

    /// <summary>Whether to call the state; who is told so says afterwards how it went.</summary>
    public bool MayTry()
    {
        lock (_lock)
        {
            if (_degraded && _time.GetElapsedTime(_tried) < RetryInterval)
            {
                return false;
            }

            _tried = _time.GetTimestamp();
            return true;
        }
    }

    /// <summary>A call succeeded.</summary>
    public void Succeeded()
    {
        lock (_lock)
        {
            if (!_degraded)
            {
                return;
            }

            _degraded = false;
        }

        LogBack();
    }

    /// <summary>A call failed.</summary>
    public void Failed(Exception exception)
    {
        lock (_lock)
        {
            _tried = _time.GetTimestamp();
            if (_degraded)
            {
                return;
            }

            _degraded = true;
        }

        LogLost(exception.Message);
    }

    /// <inheritdoc/>
    public void Dispose() => GatewayMetrics.Remove(this);
}
