using LlmCluster.Cluster.Reservations;

namespace LlmCluster.Gateway.Dispatch;

/// <summary>Room that a request has on workers until this is disposed of. Members may be called from any thread.</summary>
internal sealed class RoomLease(RoomBook book, RoomReservation reservation) : IDisposable
{
    private readonly Lock _lock = new();
    private RoomClaim[] _claims = [.. reservation.Claims];

    /// <summary>Name of the reservation.</summary>
    public string Id => reservation.Id;

    /// <summary>What is still claimed.</summary>
    public RoomReservation Current
    {
        get
        {
            lock (_lock)
            {
                return reservation with { Claims = _claims };
            }
        }
    }

    /// <summary>The prompts are computed there: their tokens wait no more.</summary>
    public void PrefillDone(string workerId)
    {
        if (Change(workerId, static claim => claim.PrefillTokens == 0 ? null : [claim with { PrefillTokens = 0 }]))
        {
            book.TellPrefillDone(Id, workerId);
        }
    }

    /// <summary>Nothing more is wanted of that worker.</summary>
    public void Release(string workerId)
    {
        if (Change(workerId, static _ => []))
        {
            book.TellReleased(Id, workerId);
        }
    }

    /// <summary>Ends the reservation.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _claims = [];
        }

        book.End(this);
    }

    // The change of a claim, or null where there is none to make.
    private bool Change(string workerId, Func<RoomClaim, RoomClaim[]?> change)
    {
        lock (_lock)
        {
            int index = Array.FindIndex(_claims, claim => claim.WorkerId == workerId);
            if (index < 0 || change(_claims[index]) is not { } changed)
            {
                return false;
            }

            _claims = [.. _claims[..index], .. changed, .. _claims[(index + 1)..]];
            return true;
        }
    }
}
