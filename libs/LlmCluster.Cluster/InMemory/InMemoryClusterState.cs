using LlmCluster.Cluster.Accounts;
using LlmCluster.Cluster.Directory;
using LlmCluster.Cluster.Reservations;

namespace LlmCluster.Cluster.InMemory;

/// <summary>The cluster's state within one process, shared by whoever holds this object.</summary>
public sealed class InMemoryClusterState : IClusterState
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, Member> _members = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _counters = new(StringComparer.Ordinal);
    private readonly ChangeSignal _changes = new();
    private readonly TimeProvider _time;
    private readonly ITimer _expiry;
    private bool _disposed;

    /// <summary>Makes an empty cluster.</summary>
    /// <param name="time">The clock that leases run by; the system's by default.</param>
    public InMemoryClusterState(TimeProvider? time = null)
    {
        _time = time ?? TimeProvider.System;
        _expiry = _time.CreateTimer(_ => OnExpiry(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <inheritdoc/>
    public IPrefixDirectory Directory => throw new NotImplementedException();

    /// <inheritdoc/>
    public IReservations Reservations => throw new NotImplementedException();

    /// <inheritdoc/>
    public IAccounts Accounts => throw new NotImplementedException();

    /// <inheritdoc/>
    public ValueTask HeartbeatAsync(WorkerSnapshot worker, TimeSpan lease, CancellationToken cancellationToken = default)
    {
        Heartbeats.Check(worker, lease);
        cancellationToken.ThrowIfCancellationRequested();
        bool changed;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            changed = RemoveExpired();
            changed |= !_members.TryGetValue(worker.Info.Id, out Member? known)
                || known.Worker.Status != worker.Status
                || known.Worker.Info != worker.Info;
            _members[worker.Info.Id] = new Member(worker, _time.GetTimestamp(), lease);
            Schedule();
        }

        if (changed)
        {
            _changes.Notify();
        }

        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask LeaveAsync(string workerId, CancellationToken cancellationToken = default)
    {
        Heartbeats.CheckName(workerId);
        cancellationToken.ThrowIfCancellationRequested();
        bool changed;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            changed = _members.Remove(workerId);
        }

        if (changed)
        {
            _changes.Notify();
        }

        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<WorkerSnapshot>> GetWorkersAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        IReadOnlyList<WorkerSnapshot> workers;
        bool changed;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            changed = RemoveExpired();
            workers = [.. _members.Values.Select(member => member.Worker)];
        }

        if (changed)
        {
            _changes.Notify();
        }

        return ValueTask.FromResult(workers);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<long> WatchAsync(CancellationToken cancellationToken = default) =>
        _changes.WatchAsync(cancellationToken);

    /// <inheritdoc/>
    public ValueTask<long> NextAsync(string counter, CancellationToken cancellationToken = default)
    {
        Heartbeats.CheckName(counter);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            long value = _counters.GetValueOrDefault(counter) + 1;
            _counters[counter] = value;
            return ValueTask.FromResult(value);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            _disposed = true;
        }

        _changes.Close();
        return _expiry.DisposeAsync();
    }

    private void OnExpiry()
    {
        bool changed;
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            changed = RemoveExpired();
            Schedule();
        }

        if (changed)
        {
            _changes.Notify();
        }
    }

    private bool RemoveExpired()
    {
        List<string>? expired = null;
        foreach ((string id, Member member) in _members)
        {
            if (Remaining(member) <= TimeSpan.Zero)
            {
                (expired ??= []).Add(id);
            }
        }

        expired?.ForEach(id => _members.Remove(id));
        return expired is not null;
    }

    private void Schedule()
    {
        if (_members.Count == 0)
        {
            _expiry.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            return;
        }

        TimeSpan next = _members.Values.Min(Remaining);

        // Timers count whole milliseconds: one more, so that it doesn't fire before the lease has run out.
        TimeSpan due = (next > TimeSpan.Zero ? next : TimeSpan.Zero) + TimeSpan.FromMilliseconds(1);
        _expiry.Change(due, Timeout.InfiniteTimeSpan);
    }

    private TimeSpan Remaining(Member member) => member.Lease - _time.GetElapsedTime(member.Renewed);

    private sealed record Member(WorkerSnapshot Worker, long Renewed, TimeSpan Lease);
}
