using LlmCluster.Cluster.Accounts;
using LlmCluster.Cluster.Directory;
using LlmCluster.Cluster.Reservations;

namespace LlmCluster.Cluster.InMemory;

/// <summary>The cluster's state within one process, shared by whoever holds this object.</summary>
public sealed class InMemoryClusterState : IClusterState
{
    private readonly Dictionary<string, long> _counters = new(StringComparer.Ordinal);
    private readonly ChangeSignal _changes = new();
    private readonly InMemoryMembers _members;
    private readonly InMemoryPrefixDirectory _directory;
    private readonly InMemoryReservations _reservations;
    private readonly InMemoryAccounts _accounts;
    private readonly ITimer _expiry;

    /// <summary>Makes an empty cluster.</summary>
    /// <param name="time">The clock that leases run by; the system's by default.</param>
    public InMemoryClusterState(TimeProvider? time = null)
    {
        time ??= TimeProvider.System;
        _members = new InMemoryMembers(time, _changes.Notify);
        _directory = new InMemoryPrefixDirectory(_members);
        _reservations = new InMemoryReservations(_members);
        _accounts = new InMemoryAccounts(_members, time);
        _expiry = time.CreateTimer(_ => OnExpiry(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <inheritdoc/>
    public IPrefixDirectory Directory => _directory;

    /// <inheritdoc/>
    public IReservations Reservations => _reservations;

    /// <inheritdoc/>
    public IAccounts Accounts => _accounts;

    /// <inheritdoc/>
    public ValueTask HeartbeatAsync(WorkerSnapshot worker, TimeSpan lease, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(worker);
        Checks.Name(worker.Info.Id);
        Checks.Lifetime(lease);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_members.Lock)
        {
            _members.Refresh();
            _members.Renew(worker, lease);
            Schedule();
        }

        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask LeaveAsync(string workerId, CancellationToken cancellationToken = default)
    {
        Checks.Name(workerId);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_members.Lock)
        {
            _members.Refresh();
            _members.Remove(workerId);
        }

        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<WorkerSnapshot>> GetWorkersAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_members.Lock)
        {
            _members.Refresh();
            IReadOnlyDictionary<string, ReservedRoom> reserved = _reservations.Sum();
            return ValueTask.FromResult<IReadOnlyList<WorkerSnapshot>>(
                [.. _members.Workers.Select(worker => worker with { Reserved = reserved.GetValueOrDefault(worker.Info.Id) })]);
        }
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<long> WatchAsync(CancellationToken cancellationToken = default) =>
        _changes.WatchAsync(cancellationToken);

    /// <inheritdoc/>
    public ValueTask<long> NextAsync(string counter, CancellationToken cancellationToken = default)
    {
        Checks.Name(counter);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_members.Lock)
        {
            _members.Refresh();
            long value = _counters.GetValueOrDefault(counter) + 1;
            _counters[counter] = value;
            return ValueTask.FromResult(value);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        lock (_members.Lock)
        {
            _members.Close();
        }

        _changes.Close();
        return _expiry.DisposeAsync();
    }

    private void OnExpiry()
    {
        try
        {
            lock (_members.Lock)
            {
                _members.Refresh();
                Schedule();
            }
        }
        catch (ObjectDisposedException)
        {
            // The timer fired while the state was disposed of.
        }
    }

    private void Schedule()
    {
        if (_members.NextEnd is not { } end)
        {
            _expiry.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            return;
        }

        // Timers count whole milliseconds: one more, so that it doesn't fire before the lease has run out.
        TimeSpan next = end - _members.Now;
        _expiry.Change((next > TimeSpan.Zero ? next : TimeSpan.Zero) + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
    }
}
