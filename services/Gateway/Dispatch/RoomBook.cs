using System.Collections.Concurrent;
using LlmCluster.Cluster;
using LlmCluster.Cluster.Reservations;
using LlmCluster.Gateway.Resilience;

namespace LlmCluster.Gateway.Dispatch;

/// <summary>
/// The room that this gateway has reserved for its requests, in the shared state while that can be reached, so that all gateways know of it. While it can't, room is given
/// by what this gateway itself has placed and what others had when that was last known; what it placed is made known once the state is back.
/// </summary>
internal sealed class RoomBook : BackgroundService
{
    /// <summary>A gateway's reservations outlive it by no more than this.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan RenewInterval = Lifetime / 3;
    private static readonly TimeSpan TellTimeout = TimeSpan.FromSeconds(5);

    private readonly IClusterState _state;
    private readonly StateGuard _guard;
    private readonly ConcurrentDictionary<string, RoomLease> _leases = new(StringComparer.Ordinal);
    private readonly Lock _ownLock = new();
    private volatile Others _others = new([], 0);
    private readonly SemaphoreSlim _renew = new(0, 1);
    private volatile Task _renewal = Task.CompletedTask;

    public RoomBook(IClusterState state, StateGuard guard)
    {
        _state = state;
        _guard = guard;
        _guard.Recovered += RenewSoon;
    }

    /// <summary>Raised when room was given back, on any thread.</summary>
    public event Action? Released;

    /// <summary>Requests that have room here.</summary>
    public int Count => _leases.Count;

    /// <summary>What is reserved on each worker: by all gateways, as far as that is known.</summary>
    public async ValueTask<IReadOnlyDictionary<string, ReservedRoom>> GetReservedAsync(CancellationToken cancellationToken)
    {
        (bool succeeded, IReadOnlyDictionary<string, ReservedRoom>? reserved) =
            await _guard.TryAsync(_state.Reservations.GetReservedAsync, cancellationToken).ConfigureAwait(false);
        if (!succeeded)
        {
            return Known();
        }

        Dictionary<string, ReservedRoom> own = OwnReserved();
        _others = new Others(
            reserved!.ToDictionary(static pair => pair.Key, pair => pair.Value.Without(own.GetValueOrDefault(pair.Key))), TimeProvider.System.GetTimestamp());
        return reserved!;
    }

    /// <summary>Reserves room.</summary>
    /// <returns>The outcome, and the lease if there is room.</returns>
    public async ValueTask<(ReserveResult Result, RoomLease? Lease)> TryReserveAsync(RoomReservation reservation, CancellationToken cancellationToken)
    {
        var lease = new RoomLease(this, reservation);
        bool succeeded;
        ReserveResult result;
        try
        {
            (succeeded, result) = await _guard.TryAsync(token => _state.Reservations.TryReserveAsync(reservation, Lifetime, token), cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // It may have been made.
            TellEnded(reservation.Id);
            throw;
        }

        if (succeeded)
        {
            if (result.Outcome != ReserveOutcome.Reserved)
            {
                return (result, null);
            }

            _leases[lease.Id] = lease;
            return (result, lease);
        }

        return ReserveByOwn(reservation, lease);
    }

    internal void TellPrefillDone(string id, string workerId) =>
        Tell(token => _state.Reservations.PrefillDoneAsync(id, workerId, token));

    internal void TellReleased(string id, string workerId)
    {
        Tell(token => _state.Reservations.ReleaseAsync(id, workerId, token));
        Released?.Invoke();
    }

    internal void End(RoomLease lease)
    {
        if (_leases.TryRemove(lease.Id, out _))
        {
            TellEnded(lease.Id);
            Released?.Invoke();
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await _renew.WaitAsync(RenewInterval, stoppingToken).ConfigureAwait(false);
                RoomReservation[] live = [.. _leases.Values.Select(lease => lease.Current).Where(reservation => reservation.Claims.Count > 0)];
                if (live.Length > 0)
                {
                    Task renewal = _guard.TryAsync(token => _state.Reservations.RenewAsync(live, Lifetime, token), stoppingToken).AsTask();
                    _renewal = renewal;
                    await renewal.ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped.
        }
    }

    public override void Dispose()
    {
        _guard.Recovered -= RenewSoon;
        base.Dispose();
        _renew.Dispose();
    }

    private (ReserveResult Result, RoomLease? Lease) ReserveByOwn(RoomReservation reservation, RoomLease lease)
    {
        lock (_ownLock)
        {
            Dictionary<string, ReservedRoom> known = Known();
            foreach (RoomClaim claim in reservation.Claims)
            {
                ReservedRoom reserved = known.GetValueOrDefault(claim.WorkerId);
                if (reserved.Blocks + claim.Blocks > claim.BlockLimit)
                {
                    // The attempt that got no answer may have been made.
                    TellEnded(reservation.Id);
                    return (new ReserveResult(ReserveOutcome.Full, claim.WorkerId, reserved), null);
                }
            }

            _leases[lease.Id] = lease;
            return (new ReserveResult(ReserveOutcome.Reserved), lease);
        }
    }

    // What others had reserved is forgotten when it would have ended unless renewed.
    private Dictionary<string, ReservedRoom> Known()
    {
        Dictionary<string, ReservedRoom> known = OwnReserved();
        Others others = _others;
        if (TimeProvider.System.GetElapsedTime(others.Since) < Lifetime)
        {
            foreach ((string worker, ReservedRoom room) in others.Reserved)
            {
                known[worker] = known.GetValueOrDefault(worker).With(room);
            }
        }

        return known;
    }

    private Dictionary<string, ReservedRoom> OwnReserved()
    {
        Dictionary<string, ReservedRoom> own = [];
        foreach (RoomLease lease in _leases.Values)
        {
            foreach (RoomClaim claim in lease.Current.Claims)
            {
                own[claim.WorkerId] = own.GetValueOrDefault(claim.WorkerId).With(new ReservedRoom(claim.Blocks, claim.PrefillTokens, claim.Sequences));
            }
        }

        return own;
    }

    private void TellEnded(string id) => Tell(token => _state.Reservations.ReleaseAsync(id, token));

    // Nobody waits for it: what does not get through ends with the reservation's lifetime.
    private void Tell(Func<CancellationToken, ValueTask> operation) => _ = TellAsync(operation);

    private async Task TellAsync(Func<CancellationToken, ValueTask> operation)
    {
        using var patience = new CancellationTokenSource(TellTimeout);
        try
        {
            // A renewal that came after the end of a reservation would make it again.
            await _renewal.WaitAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await _guard.TryAsync(operation, patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // It had its time.
        }
    }

    private void RenewSoon()
    {
        try
        {
            _renew.Release();
        }
        catch (Exception e) when (e is SemaphoreFullException or ObjectDisposedException)
        {
            // It is about to renew, or has ended.
        }
    }

    private sealed record Others(Dictionary<string, ReservedRoom> Reserved, long Since);
}
