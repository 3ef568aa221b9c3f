using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>Says of any policy's placement what it is predicted to come to, by the same <see cref="CostModel"/> for all.</summary>
public static class PlacementEstimator
{
    /// <summary>Places a request and foresees what comes of it, whether or not the policy does.</summary>
    public static PlacementResult PlaceForeseen(this IPlacementPolicy policy, PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers)
    {
        PlacementResult result = policy.Place(request, workers);
        return result.Placement is { Estimate: null } placement ? result with { Placement = Foresee(placement, request, workers) } : result;
    }

    /// <summary>The placement with <see cref="RequestPlacement.ReusedTokens"/> and <see cref="RequestPlacement.Estimate"/>.</summary>
    public static RequestPlacement Foresee(RequestPlacement placement, PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers)
    {
        WorkerInfo decode = placement.Decode.Info;
        WorkerSnapshot[] group =
        [
            .. workers.Where(w => w.Info.ModelFingerprint == decode.ModelFingerprint && w.Info.LayoutFingerprint == decode.LayoutFingerprint),
        ];
        var model = new CostModel(request, GroupRates.Of(group));
        ComputeCost compute = model.Compute(placement.Computes, placement.FetchFrom);
        DecodeCost generate = model.Decode(placement.Decode);
        WayCost way = placement.Prefill is null ? model.Alone(compute, generate) : model.Pair(compute, generate);
        return placement with { ReusedTokens = compute.Reused, Estimate = way.ToEstimate() };
    }
}
