using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>
/// Takes the way with the least predicted time to the first token, and of those that come close the one that is better balanced and copies less. A way is a pair of a
/// prefill and a decode worker, a mixed worker, or a decode worker that computes the prompt itself; the computing worker computes what it lacks, or fetches it first
/// from the worker that holds most. So a prefix that many ask for spreads by itself: when those that hold it are busy, others fetch it, and hold it from then on.
/// </summary>
/// <remarks>
/// What a way takes from others is charged to it: streams that stall, blocks that are evicted (<see cref="CostModel"/>). Ways that
/// break the target of the time per output token come after those that don't, and those for which memory lacks come last.
/// </remarks>
public sealed class CostPolicy : IPlacementPolicy
{
    // Predictions are no better than this.
    private const double NearShare = 0.03;
    private const double NearSeconds = 0.001;

    /// <inheritdoc/>
    public PlacementResult Place(PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers)
    {
        GroupWays[] groups = [.. Candidates.Groups(request, workers).Select(group => new GroupWays(request, group))];
        if (groups.Length == 0)
        {
            return Candidates.None(request, workers);
        }

        var least = new Least();
        foreach (GroupWays group in groups)
        {
            group.ForEach(ref least);
        }

        Shown best = least.Best;
        var fairest = new Fairest(best.Cost.Rank, best.Cost.Total + Math.Max(NearSeconds, NearShare * best.Cost.Total));
        foreach (GroupWays group in groups)
        {
            group.ForEach(ref fairest);
        }

        Way chosen = fairest.Best.ToWay();
        Shown? next = ReferenceEquals(chosen.Compute.Worker, best.Computes) ? least.Other : best;
        string reason = CostReason.Of(chosen, next?.ToWay());
        var placement = new RequestPlacement(chosen.IsPair ? chosen.Compute.Worker : null, chosen.Decode.Worker, reason)
        {
            FetchFrom = chosen.Compute.Source,
            ReusedTokens = chosen.Compute.Reused,
            Estimate = chosen.Cost.ToEstimate(),
        };
        return new PlacementResult(placement, reason);
    }

    /// <inheritdoc/>
    public WorkerSnapshot? ReplacePrefill(
        PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers, WorkerInfo decode, IReadOnlySet<string> failed)
    {
        IReadOnlyList<WorkerSnapshot> candidates = Candidates.ForPrefill(request, workers, decode, failed);
        var model = new CostModel(request, GroupRates.Of(candidates));
        return candidates.Select(worker => model.Compute(worker, source: null)).OrderBy(cost => !cost.Fits).ThenBy(cost => cost.End).FirstOrDefault().Worker;
    }

    private readonly record struct Shown(GroupWays Ways, int Compute, int Decode, WayCost Cost)
    {
        public WorkerSnapshot Computes => Ways.Computes(Compute, Decode);

        public Way ToWay() => Ways.Get(Compute, Decode, Cost);
    }

    // The best way of all, and the best of those that compute elsewhere.
    private struct Least : IWayVisitor
    {
        private bool _any;

        public Shown Best { get; private set; }

        public Shown? Other { get; private set; }

        public void Visit(GroupWays ways, int compute, int decode, in WayCost cost, double burden)
        {
            if (!_any || Precedes(cost, Best.Cost))
            {
                Other = !_any || ReferenceEquals(Best.Computes, ways.Computes(compute, decode)) ? Other : Best;
                Best = new Shown(ways, compute, decode, cost);
                _any = true;
            }
            else if ((Other is not { } other || Precedes(cost, other.Cost)) && !ReferenceEquals(ways.Computes(compute, decode), Best.Computes))
            {
                Other = new Shown(ways, compute, decode, cost);
            }
        }

        private static bool Precedes(in WayCost one, in WayCost other) => one.Rank != other.Rank ? one.Rank < other.Rank : one.Total < other.Total;
    }

    // Of the ways that come close to the best, the one with the least burden.
    private struct Fairest(int rank, double most) : IWayVisitor
    {
        private double _least = double.PositiveInfinity;

        public Shown Best { get; private set; }

        public void Visit(GroupWays ways, int compute, int decode, in WayCost cost, double burden)
        {
            if (cost.Rank == rank && burden < _least && cost.Total <= most)
            {
                _least = burden;
                Best = new Shown(ways, compute, decode, cost);
            }
        }
    }
}
