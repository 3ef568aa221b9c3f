using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmCluster.Cluster;

/// <summary>
/// The live workers as they were a moment ago, for readers that can't wait: kept fresh in the background, and kept as
/// it was while the state can't be reached.
/// </summary>
public sealed partial class ClusterView : IHostedService, IAsyncDisposable
{
    private readonly IClusterState _state;
    private readonly ClusterViewOptions _options;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _hint = new(0, 1);
    private readonly Lock _lock = new();
    private Task _loop = Task.CompletedTask;
    private volatile IReadOnlyList<WorkerSnapshot> _workers = [];
    private volatile TaskCompletionSource _refreshed = NewSignal();
    private volatile bool _reachable = true;
    private long _reachableSince;
    private bool _wasLost;

    /// <summary>Makes an empty view; <see cref="StartAsync"/> fills it.</summary>
    /// <param name="state">What to look at. The view doesn't dispose of it.</param>
    /// <param name="options">How often.</param>
    /// <param name="logger">Hears when the state can't be reached, and when it can again.</param>
    public ClusterView(IClusterState state, ClusterViewOptions? options = null, ILogger<ClusterView>? logger = null)
    {
        _state = state;
        _options = options ?? new ClusterViewOptions();
        _logger = logger ?? NullLogger<ClusterView>.Instance;
        if (_options.RefreshInterval < TimeSpan.FromMilliseconds(1) || _options.RefreshInterval > TimeSpan.FromHours(1))
        {
            throw new ArgumentOutOfRangeException(
                nameof(options), _options.RefreshInterval, "RefreshInterval must be between one millisecond and one hour.");
        }
    }

    /// <summary>The live workers, ordered by id. An immutable list that a later refresh replaces.</summary>
    public IReadOnlyList<WorkerSnapshot> Workers => _workers;

    /// <summary>Whether the last refresh succeeded; if not, <see cref="Workers"/> is what was last known.</summary>
    public bool IsFresh => _reachable;

    /// <summary>
    /// Raised after a refresh that changed who is a member, or a member's status; not for loads. Handlers run on the
    /// refreshing thread, so they must be quick.
    /// </summary>
    public event Action<IReadOnlyList<WorkerSnapshot>>? Changed;

    /// <summary>Reads the view once, then starts to refresh it. A state that can't be reached is tried again.</summary>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        await RefreshAsync(cancellationToken).ConfigureAwait(false);
        lock (_lock)
        {
            if (_loop.IsCompleted && !_stop.IsCancellationRequested)
            {
                _loop = Task.WhenAll(WatchAsync(_stop.Token), RefreshLoopAsync(_stop.Token));
            }
        }
    }

    /// <summary>Stops refreshing; the last view stays readable.</summary>
    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Returns the workers once they satisfy the predicate, which is asked now and after every refresh.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled first, or the view was stopped.</exception>
    public async Task<IReadOnlyList<WorkerSnapshot>> WaitForAsync(
        Func<IReadOnlyList<WorkerSnapshot>, bool> predicate, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token);
        while (true)
        {
            // Taken before the look, so that a refresh in between is not missed.
            Task refreshed = _refreshed.Task;
            IReadOnlyList<WorkerSnapshot> workers = _workers;
            if (predicate(workers))
            {
                return workers;
            }

            await refreshed.WaitAsync(stop.Token).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None).ConfigureAwait(false);
        _hint.Dispose();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static bool SameMembers(IReadOnlyList<WorkerSnapshot> left, IReadOnlyList<WorkerSnapshot> right) =>
        left.Count == right.Count
        && left.Zip(right).All(pair => pair.First.Status == pair.Second.Status && pair.First.Info == pair.Second.Info);

    private async Task RefreshLoopAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                await _hint.WaitAsync(_options.RefreshInterval, cancellationToken).ConfigureAwait(false);
                await RefreshAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Stopped.
        }
    }

    private async Task WatchAsync(CancellationToken cancellationToken)
    {
        try
        {
            await foreach (long _ in _state.WatchAsync(cancellationToken).ConfigureAwait(false))
            {
                if (_hint.CurrentCount == 0)
                {
                    _hint.Release();
                }
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or ObjectDisposedException)
        {
            // Stopped, or the state ended first.
        }
    }

    private async Task RefreshAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<WorkerSnapshot> workers;
        try
        {
            workers = await _state.GetWorkersAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is ClusterStateException or ObjectDisposedException)
        {
            if (_reachable)
            {
                _reachable = false;
                LogUnreachable(_workers.Count, exception.Message);
            }

            return;
        }

        if (!_reachable)
        {
            _reachable = true;
            _wasLost = true;
            _reachableSince = TimeProvider.System.GetTimestamp();
            LogReachable(workers.Count);
        }

        workers = WithThoseThatRejoin(workers);

        bool changed = !SameMembers(_workers, workers);
        _workers = workers;
        Interlocked.Exchange(ref _refreshed, NewSignal()).TrySetResult();
        if (changed)
        {
            Raise(workers);
        }
    }

    private IReadOnlyList<WorkerSnapshot> WithThoseThatRejoin(IReadOnlyList<WorkerSnapshot> workers)
    {
        if (!_wasLost)
        {
            return workers;
        }

        _wasLost = TimeProvider.System.GetElapsedTime(_reachableSince) < _options.RejoinTime;
        HashSet<string> there = [.. workers.Select(worker => worker.Info.Id)];
        WorkerSnapshot[] missing = _wasLost ? [.. _workers.Where(worker => !there.Contains(worker.Info.Id))] : [];
        return missing.Length == 0 ? workers : [.. workers.Concat(missing).OrderBy(worker => worker.Info.Id, StringComparer.Ordinal)];
    }

    private void Raise(IReadOnlyList<WorkerSnapshot> workers)
    {
        try
        {
            Changed?.Invoke(workers);
        }
        catch (Exception exception)
        {
            // One handler's fault must not stop the view, which every request depends on.
            LogHandlerFailed(exception);
        }
    }
}
