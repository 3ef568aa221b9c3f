using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>Decides where requests run. Pure: the same request and workers give the same placement.</summary>
public interface IPlacementPolicy
{
    /// <summary>Places a request.</summary>
    PlacementResult Place(PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers);

    /// <summary>Chooses another prefill worker for a request whose decode worker is settled.</summary>
    /// <param name="request">The request.</param>
    /// <param name="workers">The workers now.</param>
    /// <param name="decode">The decode worker.</param>
    /// <param name="failed">Ids of prefill workers that failed the request.</param>
    /// <returns>The worker, or null when there is no other.</returns>
    WorkerSnapshot? ReplacePrefill(PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers, WorkerInfo decode, IReadOnlySet<string> failed);
}
