using LlmCluster.Inference.Engine;

namespace LlmCluster.KvTransfer.Receiving;

/// <summary>How far a sequence has come.</summary>
internal enum RendezvousState
{
    /// <summary>Not here yet; attempts may come, a client's request may wait.</summary>
    Pending,

    /// <summary>Runs; nobody has asked for it yet.</summary>
    Unclaimed,

    /// <summary>Runs; a client's request has it.</summary>
    Claimed,

    /// <summary>Nobody wants it any more.</summary>
    Dropped,
}

/// <summary>Where the two legs of one sequence meet. Guarded by the lock of <see cref="RendezvousTable"/>.</summary>
internal sealed class Rendezvous(SequenceKey key)
{
    public SequenceKey Key { get; } = key;

    public RendezvousState State { get; set; }

    /// <summary>Highest attempt number seen; 0 for none.</summary>
    public int Epoch { get; set; }

    /// <summary>The newest attempt, while its handler runs.</summary>
    public TransferTicket? Ticket { get; set; }

    /// <summary>Completes when the handlers of all attempts so far have ended.</summary>
    public Task HandlersEnded { get; set; } = Task.CompletedTask;

    /// <summary>The client's request that waits.</summary>
    public TaskCompletionSource<IGeneration>? Waiter { get; set; }

    /// <summary>The running sequence in state <see cref="RendezvousState.Unclaimed"/>.</summary>
    public IGeneration? Unclaimed { get; set; }

    /// <summary>Why the last attempt failed, or why the sequence was dropped.</summary>
    public string? LastProblem { get; set; }

    /// <summary>Which of this rendezvous' places in the queue of what may be forgotten counts.</summary>
    public long MemoryStamp { get; set; }
}
