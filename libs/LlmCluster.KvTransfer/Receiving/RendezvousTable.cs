using LlmCluster.Inference.Engine;

namespace LlmCluster.KvTransfer.Receiving;

/// <summary>
/// Brings the two legs of every sequence together, in either order, and settles which attempt counts. Holds no
/// blocks and does no I/O; a single lock guards it. Time is in ticks of the time provider.
/// </summary>
internal sealed class RendezvousTable(KvReceiverOptions options, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<SequenceKey, Rendezvous> _entries = [];

    // Both in order of time, because all that is in one waits equally long.
    private readonly Queue<(Rendezvous Entry, IGeneration Generation, long Deadline)> _claimDeadlines = [];
    private readonly Queue<(Rendezvous Entry, long Stamp, long Deadline)> _memory = [];
    private int _live;
    private int _waiting;
    private bool _stopped;

    /// <summary>Attempts whose handler runs.</summary>
    public int LiveTransfers => Volatile.Read(ref _live);

    /// <summary>Client requests that wait for their sequence.</summary>
    public int WaitingRequests => Volatile.Read(ref _waiting);

    /// <summary>Sequences of which anything is known.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>Enters an attempt and ends the older one.</summary>
    /// <returns>
    /// Completes when the handlers of all older attempts have ended: only then may the new one reserve. Null when an
    /// older attempt has handed the sequence over already; the ticket is then not entered.
    /// </returns>
    /// <exception cref="KvTransferException">The attempt is stale, or the sequence was dropped.</exception>
    public Task? Join(TransferTicket ticket)
    {
        TransferTicket? superseded;
        Task previous;
        lock (_lock)
        {
            if (_stopped)
            {
                throw Stopped();
            }

            Rendezvous entry = GetOrAddLocked(ticket.Key);
            if (entry.State == RendezvousState.Dropped)
            {
                throw new KvTransferException(KvTransferError.Dropped, $"Sequence {ticket.Key} was dropped here: {entry.LastProblem}");
            }

            if (ticket.Epoch <= entry.Epoch)
            {
                throw new KvTransferException(
                    KvTransferError.StaleEpoch,
                    ticket.Epoch == entry.Epoch
                        ? $"Attempt {ticket.Epoch} of sequence {ticket.Key} was opened before."
                        : $"Attempt {ticket.Epoch} of sequence {ticket.Key} is older than attempt {entry.Epoch}, which is the current one.");
            }

            entry.Epoch = ticket.Epoch;
            if (entry.State != RendezvousState.Pending)
            {
                return null;
            }

            superseded = entry.Ticket;
            previous = entry.HandlersEnded;
            entry.Ticket = ticket;
            entry.HandlersEnded = previous.IsCompleted ? ticket.Ended : Task.WhenAll(previous, ticket.Ended);
            entry.MemoryStamp++;
            _live++;
        }

        superseded?.Cancel(new KvTransferException(
            KvTransferError.StaleEpoch, $"Attempt {superseded.Epoch} of sequence {ticket.Key} was superseded by attempt {ticket.Epoch}."));
        return previous;
    }

    /// <summary>Takes an attempt out once its handler has nothing more to do and its blocks are released or handed over.</summary>
    public void Leave(TransferTicket ticket, Exception? error)
    {
        lock (_lock)
        {
            _live--;
            if (_entries.TryGetValue(ticket.Key, out Rendezvous? entry) && entry.Ticket == ticket)
            {
                entry.Ticket = null;
                if (entry.State == RendezvousState.Pending)
                {
                    entry.LastProblem = error?.Message;
                    RememberIfIdleLocked(entry);
                }
            }
        }

        ticket.SetEnded();
    }

    /// <summary>Hands a running sequence to the request that waits for it, or keeps it for one that will come.</summary>
    /// <returns>False when the attempt no longer counts: the generation is still the caller's.</returns>
    public bool TryHandOver(TransferTicket ticket, IGeneration generation)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(ticket.Key, out Rendezvous? entry)
                || entry.Ticket != ticket
                || entry.State != RendezvousState.Pending
                || ticket.Reason is not null)
            {
                return false;
            }

            if (entry.Waiter is { } waiter)
            {
                entry.State = RendezvousState.Claimed;
                EndWaitLocked(entry);
                waiter.SetResult(generation);
                return true;
            }

            entry.State = RendezvousState.Unclaimed;
            entry.Unclaimed = generation;
            _claimDeadlines.Enqueue((entry, generation, After(options.ClaimTimeout)));
            return true;
        }
    }

    /// <summary>Enters a client's request.</summary>
    /// <returns>The running sequence, now or later.</returns>
    /// <exception cref="GenerationException">The sequence was dropped, or another request has it or waits for it.</exception>
    public Task<IGeneration> Claim(SequenceKey key)
    {
        lock (_lock)
        {
            if (_stopped)
            {
                throw new GenerationException(GenerationError.Unavailable, Stopped().Message);
            }

            Rendezvous entry = GetOrAddLocked(key);
            switch (entry.State)
            {
                case RendezvousState.Dropped:
                    throw new GenerationException(GenerationError.Unavailable, $"Sequence {key} was dropped here: {entry.LastProblem}");
                case RendezvousState.Unclaimed:
                    IGeneration generation = entry.Unclaimed!;
                    entry.State = RendezvousState.Claimed;
                    entry.Unclaimed = null;
                    return Task.FromResult(generation);
                case RendezvousState.Pending when entry.Waiter is null:
                    entry.Waiter = new TaskCompletionSource<IGeneration>(TaskCreationOptions.RunContinuationsAsynchronously);
                    entry.MemoryStamp++;
                    _waiting++;
                    return entry.Waiter.Task;
                default:
                    throw new GenerationException(GenerationError.InvalidRequest, $"Sequence {key} was asked for twice.");
            }
        }
    }

    /// <summary>Why the last attempt to bring a sequence here failed, if one did.</summary>
    public string? GetLastProblem(SequenceKey key)
    {
        lock (_lock)
        {
            return _entries.TryGetValue(key, out Rendezvous? entry) ? entry.LastProblem : null;
        }
    }

    /// <summary>Ends a sequence: a transfer under way is cancelled, later ones are refused.</summary>
    /// <returns>A running sequence that nobody had claimed, for the caller to dispose.</returns>
    public IGeneration? Drop(SequenceKey key, string why)
    {
        TransferTicket? ticket;
        IGeneration? unclaimed;
        lock (_lock)
        {
            (ticket, unclaimed) = DropLocked(GetOrAddLocked(key), why);
        }

        ticket?.Cancel(new KvTransferException(KvTransferError.Dropped, $"Sequence {key} was dropped here: {why}"));
        return unclaimed;
    }

    /// <summary>Drops what nobody claimed in time and forgets what need not be remembered any longer.</summary>
    /// <returns>Running sequences for the caller to dispose.</returns>
    public List<IGeneration> Sweep()
    {
        var expired = new List<IGeneration>();
        lock (_lock)
        {
            long now = time.GetTimestamp();
            while (_claimDeadlines.TryPeek(out var claim) && (claim.Entry.Unclaimed != claim.Generation || claim.Deadline <= now))
            {
                _claimDeadlines.Dequeue();
                if (claim.Entry.Unclaimed == claim.Generation)
                {
                    // A committed sequence has no transfer under way that would need cancelling.
                    DropLocked(claim.Entry, $"no request asked for it within {options.ClaimTimeout}.");
                    expired.Add(claim.Generation);
                }
            }

            ForgetLocked(now);
        }

        return expired;
    }

    /// <summary>Refuses everything from now on, ends every transfer and every wait.</summary>
    /// <returns>Running sequences to dispose, and a task that completes when all handlers have ended.</returns>
    public (List<IGeneration> Unclaimed, Task HandlersEnded) Stop()
    {
        var unclaimed = new List<IGeneration>();
        var tickets = new List<TransferTicket>();
        var handlers = new List<Task>();
        lock (_lock)
        {
            _stopped = true;
            foreach (Rendezvous entry in _entries.Values)
            {
                handlers.Add(entry.HandlersEnded);
                if (entry.Waiter is { } waiter)
                {
                    EndWaitLocked(entry);
                    waiter.SetException(new GenerationException(GenerationError.Unavailable, Stopped().Message));
                }

                if (entry.State != RendezvousState.Claimed)
                {
                    entry.State = RendezvousState.Dropped;
                }

                entry.LastProblem = Stopped().Message;
                if (entry.Unclaimed is { } generation)
                {
                    entry.Unclaimed = null;
                    unclaimed.Add(generation);
                }

                if (entry.Ticket is { } ticket)
                {
                    tickets.Add(ticket);
                }
            }
        }

        tickets.ForEach(ticket => ticket.Cancel(Stopped()));
        return (unclaimed, Task.WhenAll(handlers));
    }

    private static KvTransferException Stopped() => new(KvTransferError.Unavailable, "The decode worker is shutting down.");

    private Rendezvous GetOrAddLocked(SequenceKey key)
    {
        if (!_entries.TryGetValue(key, out Rendezvous? entry))
        {
            entry = new Rendezvous(key);
            _entries.Add(key, entry);
        }

        return entry;
    }

    private (TransferTicket? Ticket, IGeneration? Unclaimed) DropLocked(Rendezvous entry, string why)
    {
        if (entry.State == RendezvousState.Dropped)
        {
            return (null, null);
        }

        IGeneration? unclaimed = entry.Unclaimed;
        entry.State = RendezvousState.Dropped;
        entry.LastProblem = why;
        entry.Unclaimed = null;
        EndWaitLocked(entry);
        RememberIfIdleLocked(entry);
        return (entry.Ticket, unclaimed);
    }

    private void EndWaitLocked(Rendezvous entry)
    {
        if (entry.Waiter is not null)
        {
            entry.Waiter = null;
            _waiting--;
        }
    }

    private void RememberIfIdleLocked(Rendezvous entry)
    {
        if (entry.Waiter is null)
        {
            _memory.Enqueue((entry, ++entry.MemoryStamp, After(options.MemoryTime)));
            ForgetLocked(time.GetTimestamp());
        }
    }

    private void ForgetLocked(long now)
    {
        while (_memory.TryPeek(out var oldest)
            && (oldest.Deadline <= now || oldest.Entry.MemoryStamp != oldest.Stamp || _memory.Count > options.MemoryLimit))
        {
            _memory.Dequeue();
            if (oldest.Entry.MemoryStamp == oldest.Stamp)
            {
                _entries.Remove(oldest.Entry.Key);
            }
        }
    }

    private long After(TimeSpan delay) => time.GetTimestamp() + (long)(delay.TotalSeconds * time.TimestampFrequency);
}
