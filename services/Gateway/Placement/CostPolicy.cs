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

        var fairest = new Fairest(least.Best.Cost.Rank, least.Best.Cost.Total + Math.Max(NearSeconds, NearShare * least.Best.Cost.Total));
        foreach (GroupWays group in groups)
        {
            group.ForEach(ref fairest);
        }

        Way chosen = fairest.Best;
        Way? next = ReferenceEquals(chosen.Compute.Worker, least.Best.Compute.Worker) ? least.Other : least.Best;
        string reason = CostReason.Of(chosen, next);
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

    // The best way of all, and the best of those that compute elsewhere.
    private struct Least : IWayVisitor
    {
        private bool _any;

        public Way Best { get; private set; }

        public Way? Other { get; private set; }

        public void Visit(in Way way)
        {
            if (!_any || Precedes(way, Best))
            {
                Other = !_any || ReferenceEquals(Best.Compute.Worker, way.Compute.Worker) ? Other : Best;
                Best = way;
                _any = true;
            }
            else if (!ReferenceEquals(way.Compute.Worker, Best.Compute.Worker) && (Other is not { } other || Precedes(way, other)))
            {
                Other = way;
            }
        }

        private static bool Precedes(in Way one, in Way other) =>
            one.Cost.Rank != other.Cost.Rank ? one.Cost.Rank < other.Cost.Rank : one.Cost.Total < other.Cost.Total;
    }

    private struct Fairest(int rank, double most) : IWayVisitor
    {
        private double _least = double.PositiveInfinity;

        public Way Best { get; private set; }

        public void Visit(in Way way)
        {
            if (way.Cost.Rank == rank && way.Cost.Total <= most && way.Burden < _least)
            {
                _least = way.Burden;
                Best = way;
            }
        }
    }
}
