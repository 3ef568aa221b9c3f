using LlmCluster.Cluster;
using LlmCluster.Worker.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmCluster.Worker.Membership;

/// <summary>
/// Keeps the worker in the cluster: a heartbeat with status and load a few times a second; after one that failed, a few times a lease. A cluster state that can't be
/// reached never ends the worker.
/// </summary>
internal sealed partial class ClusterMembership : IAsyncDisposable
{
    private static readonly TimeSpan LeaveTimeout = TimeSpan.FromSeconds(2);

    private readonly IClusterState _state;
    private readonly WorkerInfo _info;
    private readonly WorkerStatusSource _status;
    private readonly TimeSpan _lease;
    private readonly TimeSpan _interval;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _beating = new(1);
    private readonly TaskCompletionSource _joined = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _loop;
    private volatile bool _draining;

    public ClusterMembership(
        IClusterState state, WorkerInfo info, WorkerStatusSource status, TimeSpan lease, TimeSpan interval, ILogger<ClusterMembership> logger)
    {
        _interval = interval;
        _state = state;
        _info = info;
        _status = status;
        _lease = lease;
        _logger = logger;
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Completes with the first heartbeat that got through.</summary>
    public Task Joined => _joined.Task;

    /// <summary>Tells the cluster at once that the worker takes nothing new.</summary>
    public async Task DrainAsync(TimeSpan limit)
    {
        _draining = true;
        using var patience = new CancellationTokenSource(limit);
        await TryBeatAsync(patience.Token).ConfigureAwait(false);
    }

    /// <summary>Leaves the cluster.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        using var patience = new CancellationTokenSource(LeaveTimeout);
        try
        {
            await _state.LeaveAsync(_info.Id, patience.Token).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // The lease ends by itself.
            LogLeaveFailed(_info.Id, e.Message);
        }

        _joined.TrySetCanceled();
        _beating.Dispose();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        CancellationToken stopping = _stopping.Token;
        TimeSpan patience = _lease / 3;
        TimeSpan retry = patience / 4 > _interval ? patience / 4 : _interval;
        while (!stopping.IsCancellationRequested)
        {
            using var beating = CancellationTokenSource.CreateLinkedTokenSource(stopping);
            beating.CancelAfter(patience);
            bool beat = await TryBeatAsync(beating.Token).ConfigureAwait(false);
            await Task.Delay(beat ? _interval : retry, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // One at a time: a late heartbeat must not make a draining worker ready again.
    private async Task<bool> TryBeatAsync(CancellationToken cancellationToken)
    {
        bool entered = false;
        try
        {
            await _beating.WaitAsync(cancellationToken).ConfigureAwait(false);
            entered = true;
            var snapshot = new WorkerSnapshot(_info, _draining ? WorkerStatus.Draining : WorkerStatus.Ready, _status.NextLoad());
            await _state.HeartbeatAsync(snapshot, _lease, cancellationToken).ConfigureAwait(false);
            _status.SetJoined();
            if (_joined.TrySetResult())
            {
                LogJoined(_info.Id, _info.Role, _info.HttpEndpoint, _info.GrpcEndpoint);
            }

            return true;
        }
        catch (Exception) when (_stopping.IsCancellationRequested)
        {
            return false;
        }
        catch (Exception e)
        {
            LogBeatFailed(_info.Id, e is OperationCanceledException ? "no answer in time" : e.Message);
            return false;
        }
        finally
        {
            if (entered)
            {
                _beating.Release();
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Worker {Worker} ({Role}) joined the cluster: {Http} and {Grpc}")]
    private partial void LogJoined(string worker, WorkerRole role, Uri http, Uri grpc);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Worker {Worker}: a heartbeat did not get through: {Problem}")]
    private partial void LogBeatFailed(string worker, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Worker {Worker}: leaving the cluster did not get through: {Problem}")]
    private partial void LogLeaveFailed(string worker, string problem);
}
