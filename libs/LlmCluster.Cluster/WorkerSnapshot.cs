using LlmCluster.Cluster.Reservations;

namespace LlmCluster.Cluster;

/// <summary>Whether a worker takes new requests.</summary>
public enum WorkerStatus
{
    /// <summary>Takes requests.</summary>
    Ready,

    /// <summary>Finishes what it has and takes nothing new.</summary>
    Draining,
}

/// <summary>A live worker as a gateway sees it.</summary>
/// <param name="Info">What it said when it joined.</param>
/// <param name="Status">Whether it takes requests.</param>
/// <param name="Load">Its load.</param>
public sealed record WorkerSnapshot(WorkerInfo Info, WorkerStatus Status, WorkerLoad Load)
{
    /// <summary>What gateways have placed on it and what has not ended; no part of what a worker reports.</summary>
    public ReservedRoom Reserved { get; init; }
}
