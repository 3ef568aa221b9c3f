using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>Workers that can exchange blocks, by role.</summary>
/// <param name="workers">The workers.</param>
internal sealed class WorkerGroup(WorkerSnapshot[] workers)
{
    /// <summary>Those that only compute prompts.</summary>
    public IReadOnlyList<WorkerSnapshot> Prefill { get; } = OfRole(workers, WorkerRole.Prefill);

    /// <summary>Those that only generate.</summary>
    public IReadOnlyList<WorkerSnapshot> Decode { get; } = OfRole(workers, WorkerRole.Decode);

    /// <summary>Those that serve whole requests.</summary>
    public IReadOnlyList<WorkerSnapshot> Mixed { get; } = OfRole(workers, WorkerRole.Mixed);

    /// <summary>Whether a prefill and a decode worker can share a request.</summary>
    public bool HasPairs => Prefill.Count > 0 && Decode.Count > 0;

    private static WorkerSnapshot[] OfRole(WorkerSnapshot[] workers, WorkerRole role) => Array.FindAll(workers, w => w.Info.Role == role);
}
