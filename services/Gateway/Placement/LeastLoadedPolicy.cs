using System.Globalization;
using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>
/// Takes the prefill and the decode worker, or the mixed worker, with the shortest queue (<see cref="QueueLoad"/>), whatever they hold in their caches. A pair is as
/// loaded as the worker of the two that is more so; equals take turns.
/// </summary>
public sealed class LeastLoadedPolicy : IPlacementPolicy
{
    /// <inheritdoc/>
    public PlacementResult Place(PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers)
    {
        RequestPlacement? best = null;
        long least = long.MaxValue;
        foreach (WorkerGroup group in Candidates.Groups(request, workers))
        {
            if (group.HasPairs)
            {
                WorkerSnapshot prefill = QueueLoad.Least(group.Prefill, request.Turn);
                WorkerSnapshot decode = QueueLoad.Least(group.Decode, request.Turn);
                Offer(prefill, decode, Math.Max(QueueLoad.Of(prefill), QueueLoad.Of(decode)));
            }

            if (group.Mixed.Count > 0)
            {
                WorkerSnapshot mixed = QueueLoad.Least(group.Mixed, request.Turn);
                Offer(null, mixed, QueueLoad.Of(mixed));
            }
        }

        return best is null ? Candidates.None(request, workers) : new PlacementResult(best, best.Reason);

        void Offer(WorkerSnapshot? prefill, WorkerSnapshot decode, long load)
        {
            if (load < least)
            {
                least = load;
                best = new RequestPlacement(prefill, decode, Describe(prefill, decode));
            }
        }
    }

    /// <inheritdoc/>
    public WorkerSnapshot? ReplacePrefill(
        PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers, WorkerInfo decode, IReadOnlySet<string> failed)
    {
        IReadOnlyList<WorkerSnapshot> candidates = Candidates.ForPrefill(request, workers, decode, failed);
        return candidates.Count == 0 ? null : QueueLoad.Least(candidates, request.Turn);
    }

    private static string Describe(WorkerSnapshot? prefill, WorkerSnapshot decode) => prefill is null
        ? string.Create(CultureInfo.InvariantCulture, $"least loaded: all on mixed worker {decode.Info.Id} ({QueueLoad.Of(decode)})")
        : string.Create(
            CultureInfo.InvariantCulture,
            $"least loaded: prefill on {prefill.Info.Id} ({QueueLoad.Of(prefill)}), decode on {decode.Info.Id} ({QueueLoad.Of(decode)})");
}
