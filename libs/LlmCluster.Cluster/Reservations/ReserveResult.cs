namespace LlmCluster.Cluster.Reservations;

/// <summary>What came of an attempt to reserve.</summary>
public enum ReserveOutcome
{
    /// <summary>The room is reserved.</summary>
    Reserved,

    /// <summary>A worker has too few blocks that nobody reserved.</summary>
    Full,

    /// <summary>A worker's lease has run out, or it is draining.</summary>
    WorkerGone,
}

/// <summary>What came of an attempt to reserve.</summary>
/// <param name="Outcome">Whether the room is reserved.</param>
/// <param name="WorkerId">The worker that is full or gone; null when the room is reserved.</param>
/// <param name="Reserved">What is reserved on that worker.</param>
public readonly record struct ReserveResult(ReserveOutcome Outcome, string? WorkerId = null, ReservedRoom Reserved = default);
