using System.Globalization;
using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>
/// Sends a request to the prefill or mixed worker that holds the longest part of its prompt, however busy it is; of those that hold as much, and where none holds any, to
/// the least loaded (<see cref="QueueLoad"/>), and from there to the least loaded decode worker.
/// </summary>
public sealed class PrefixAffinityPolicy : IPlacementPolicy
{
    /// <inheritdoc/>
    public PlacementResult Place(PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers)
    {
        RequestPlacement? best = null;
        (int Held, long Load) rating = default;
        foreach (WorkerGroup group in Candidates.Groups(request, workers))
        {
            if (group.HasPairs)
            {
                WorkerSnapshot prefill = Longest(group.Prefill, request);
                WorkerSnapshot decode = QueueLoad.Least(group.Decode, request.Turn);
                Offer(prefill, decode, Math.Max(QueueLoad.Of(prefill), QueueLoad.Of(decode)));
            }

            if (group.Mixed.Count > 0)
            {
                WorkerSnapshot mixed = Longest(group.Mixed, request);
                Offer(null, mixed, QueueLoad.Of(mixed));
            }
        }

        return best is null ? Candidates.None(request, workers) : new PlacementResult(best, best.Reason);

        void Offer(WorkerSnapshot? prefill, WorkerSnapshot decode, long load)
        {
            int held = request.HeldBy(prefill ?? decode).Any;
            if (best is null || held > rating.Held || (held == rating.Held && load < rating.Load))
            {
                rating = (held, load);
                best = new RequestPlacement(prefill, decode, Describe(prefill, decode, held));
            }
        }
    }

    /// <inheritdoc/>
    public WorkerSnapshot? ReplacePrefill(
        PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers, WorkerInfo decode, IReadOnlySet<string> failed)
    {
        IReadOnlyList<WorkerSnapshot> candidates = Candidates.ForPrefill(request, workers, decode, failed);
        return candidates.Count == 0 ? null : Longest(candidates, request);
    }

    private static WorkerSnapshot Longest(IReadOnlyList<WorkerSnapshot> workers, PlacementRequest request)
    {
        int longest = workers.Max(worker => request.HeldBy(worker).Any);
        return QueueLoad.Least([.. workers.Where(worker => request.HeldBy(worker).Any == longest)], request.Turn);
    }

    private static string Describe(WorkerSnapshot? prefill, WorkerSnapshot decode, int held)
    {
        string tokens = held.ToString(CultureInfo.InvariantCulture);
        return prefill is null
            ? $"prefix affinity: all on mixed worker {decode.Info.Id}, which holds {tokens} prompt tokens"
            : $"prefix affinity: prefill on {prefill.Info.Id}, which holds {tokens} prompt tokens, decode on {decode.Info.Id}";
    }
}
