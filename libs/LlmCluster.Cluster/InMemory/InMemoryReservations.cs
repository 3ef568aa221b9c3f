using LlmCluster.Cluster.Reservations;

namespace LlmCluster.Cluster.InMemory;

/// <summary>Room that is promised to requests, within one process.</summary>
internal sealed class InMemoryReservations : IReservations
{
    private readonly InMemoryMembers _members;
    private readonly Dictionary<string, List<Claim>> _reservations = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Room> _rooms = new(StringComparer.Ordinal);
    private readonly Deadlines _ends = new();

    public InMemoryReservations(InMemoryMembers members)
    {
        _members = members;

        // Claims on the worker's old room count in no sum any more; a room that it gets later is another one.
        members.Gone += id => _rooms.Remove(id);
    }

    /// <inheritdoc/>
    public ValueTask<ReserveResult> TryReserveAsync(RoomReservation reservation, TimeSpan lifetime, CancellationToken cancellationToken = default)
    {
        ReservationChecks.Check(reservation);
        Checks.Lifetime(lifetime);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_members.Lock)
        {
            Refresh();
            if (_reservations.ContainsKey(reservation.Id))
            {
                throw ReservationChecks.InUse(reservation.Id);
            }

            foreach (RoomClaim claim in reservation.Claims)
            {
                ReservedRoom reserved = _rooms.GetValueOrDefault(claim.WorkerId)?.Reserved ?? default;
                if (!_members.IsReady(claim.WorkerId))
                {
                    return ValueTask.FromResult(new ReserveResult(ReserveOutcome.WorkerGone, claim.WorkerId, reserved));
                }

                if (reserved.Blocks + claim.Blocks > claim.BlockLimit)
                {
                    return ValueTask.FromResult(new ReserveResult(ReserveOutcome.Full, claim.WorkerId, reserved));
                }
            }

            Add(reservation, lifetime);
            return ValueTask.FromResult(new ReserveResult(ReserveOutcome.Reserved));
        }
    }

    /// <inheritdoc/>
    public ValueTask PrefillDoneAsync(string id, string workerId, CancellationToken cancellationToken = default)
    {
        Change(id, workerId, cancellationToken, static claim =>
        {
            claim.Room.Reserved = claim.Room.Reserved with { PrefillTokens = claim.Room.Reserved.PrefillTokens - claim.PrefillTokens };
            claim.PrefillTokens = 0;
            return false;
        });
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask ReleaseAsync(string id, string workerId, CancellationToken cancellationToken = default)
    {
        Change(id, workerId, cancellationToken, claim =>
        {
            Release(claim);
            return true;
        });
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask ReleaseAsync(string id, CancellationToken cancellationToken = default)
    {
        Checks.Name(id);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_members.Lock)
        {
            Refresh();
            Remove(id);
        }

        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask RenewAsync(IReadOnlyList<RoomReservation> reservations, TimeSpan lifetime, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(reservations);
        Checks.Lifetime(lifetime);
        foreach (RoomReservation reservation in reservations)
        {
            ReservationChecks.Check(reservation);
        }

        cancellationToken.ThrowIfCancellationRequested();
        lock (_members.Lock)
        {
            Refresh();
            foreach (RoomReservation reservation in reservations)
            {
                if (_reservations.ContainsKey(reservation.Id))
                {
                    _ends.Set(reservation.Id, _members.Now + lifetime);
                }
                else
                {
                    Add(reservation, lifetime);
                }
            }
        }

        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyDictionary<string, ReservedRoom>> GetReservedAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_members.Lock)
        {
            _members.Refresh();
            return ValueTask.FromResult(Sum());
        }
    }

    /// <summary>What is reserved, by worker. Needs the lock.</summary>
    public IReadOnlyDictionary<string, ReservedRoom> Sum()
    {
        Refresh();
        return _rooms.Where(pair => pair.Value.Reserved != default).ToDictionary(pair => pair.Key, pair => pair.Value.Reserved, StringComparer.Ordinal);
    }

    private void Refresh()
    {
        _members.Refresh();
        while (_ends.TryTake(_members.Now, out string id))
        {
            Remove(id);
        }
    }

    private void Add(RoomReservation reservation, TimeSpan lifetime)
    {
        var claims = new List<Claim>(reservation.Claims.Count);
        foreach (RoomClaim claim in reservation.Claims)
        {
            if (!_rooms.TryGetValue(claim.WorkerId, out Room? room))
            {
                _rooms[claim.WorkerId] = room = new Room();
            }

            room.Claims++;
            room.Reserved = new ReservedRoom(
                room.Reserved.Blocks + claim.Blocks, room.Reserved.PrefillTokens + claim.PrefillTokens, room.Reserved.Sequences + claim.Sequences);
            claims.Add(new Claim(claim.WorkerId, room, claim.Blocks, claim.Sequences) { PrefillTokens = claim.PrefillTokens });
        }

        _reservations.Add(reservation.Id, claims);
        _ends.Set(reservation.Id, _members.Now + lifetime);
    }

    private void Change(string id, string workerId, CancellationToken cancellationToken, Predicate<Claim> remove)
    {
        Checks.Name(id);
        Checks.Name(workerId);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_members.Lock)
        {
            Refresh();
            if (_reservations.TryGetValue(id, out List<Claim>? claims)
                && claims.Find(claim => claim.WorkerId == workerId) is { } claim
                && remove(claim)
                && claims.Remove(claim)
                && claims.Count == 0)
            {
                Remove(id);
            }
        }
    }

    private void Remove(string id)
    {
        _ends.Remove(id);
        if (_reservations.Remove(id, out List<Claim>? claims))
        {
            claims.ForEach(Release);
        }
    }

    private void Release(Claim claim)
    {
        ReservedRoom reserved = claim.Room.Reserved;
        claim.Room.Reserved = new ReservedRoom(
            reserved.Blocks - claim.Blocks, reserved.PrefillTokens - claim.PrefillTokens, reserved.Sequences - claim.Sequences);
        if (--claim.Room.Claims == 0 && _rooms.GetValueOrDefault(claim.WorkerId) == claim.Room)
        {
            _rooms.Remove(claim.WorkerId);
        }
    }

    private sealed class Room
    {
        public int Claims { get; set; }

        public ReservedRoom Reserved { get; set; }
    }

    private sealed record Claim(string WorkerId, Room Room, int Blocks, int Sequences)
    {
        public int PrefillTokens { get; set; }
    }
}
