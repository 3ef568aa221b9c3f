using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>
/// Takes workers in turn. Each mixed worker is one way to serve a request, and so is each pair of a prefill and a
/// decode worker that can exchange blocks; the pairs change from round to round, so that every prefill worker meets
/// every decode worker.
/// </summary>
public sealed class RoundRobinPolicy : IPlacementPolicy
{
    /// <inheritdoc/>
    public PlacementResult Place(PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers)
    {
        IReadOnlyList<WorkerGroup> groups = Candidates.Groups(request, workers);
        int ways = groups.Sum(Ways);
        if (ways == 0)
        {
            return Candidates.None(request, workers);
        }

        long turn = Math.Max(request.Turn - 1, 0);
        int way = (int)(turn % ways);
        foreach (WorkerGroup group in groups)
        {
            if (way < Ways(group))
            {
                RequestPlacement placement = Choose(group, way, turn / ways, request.Turn);
                return new PlacementResult(placement, placement.Reason);
            }

            way -= Ways(group);
        }

        throw new InvalidOperationException("The ways to serve a request were counted wrongly.");
    }

    /// <inheritdoc/>
    public WorkerSnapshot? ReplacePrefill(
        PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers, WorkerInfo decode, IReadOnlySet<string> failed)
    {
        IReadOnlyList<WorkerSnapshot> candidates = Candidates.ForPrefill(request, workers, decode, failed);
        return candidates.Count == 0 ? null : candidates[(int)(Math.Max(request.Turn, 0) % candidates.Count)];
    }

    private static int Pairs(WorkerGroup group) => group.HasPairs ? Math.Max(group.Prefill.Count, group.Decode.Count) : 0;

    private static int Ways(WorkerGroup group) => Pairs(group) + group.Mixed.Count;

    private static RequestPlacement Choose(WorkerGroup group, int way, long round, long turn)
    {
        int pairs = Pairs(group);
        if (way >= pairs)
        {
            WorkerSnapshot mixed = group.Mixed[way - pairs];
            return new RequestPlacement(null, mixed, $"round robin, turn {turn}: all on mixed worker {mixed.Info.Id}");
        }

        WorkerSnapshot prefill = group.Prefill[way % group.Prefill.Count];
        WorkerSnapshot decode = group.Decode[(int)((way + round) % group.Decode.Count)];
        return new RequestPlacement(prefill, decode, $"round robin, turn {turn}: prefill on {prefill.Info.Id}, decode on {decode.Info.Id}");
    }
}
