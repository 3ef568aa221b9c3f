using System.Globalization;
using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>
/// Draws two ways to serve the request at random and takes the less loaded (Mitzenmacher, The Power of Two Choices in Randomized Load Balancing, 2001): nearly as
/// balanced as the least loaded of all, and no herd follows a report that is out of date. A way is a mixed worker, or a pair of a prefill and a decode worker.
/// </summary>
public sealed class PowerOfTwoPolicy : IPlacementPolicy
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

        // Two different ones, where there are two.
        int first = Draw(request.Turn, 0, ways);
        int second = ways == 1 ? first : (first + 1 + Draw(request.Turn, 1, ways - 1)) % ways;
        (WorkerSnapshot? Prefill, WorkerSnapshot Decode) one = At(groups, first);
        (WorkerSnapshot? Prefill, WorkerSnapshot Decode) other = At(groups, second);
        (long own, long others) = (Load(one), Load(other));
        if (others < own)
        {
            (one, other, own, others) = (other, one, others, own);
        }

        string reason = string.Create(CultureInfo.InvariantCulture, $"power of two: {Describe(one)} ({own}) rather than {Describe(other)} ({others})");
        return new PlacementResult(new RequestPlacement(one.Prefill, one.Decode, reason), reason);
    }

    /// <inheritdoc/>
    public WorkerSnapshot? ReplacePrefill(
        PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers, WorkerInfo decode, IReadOnlySet<string> failed)
    {
        IReadOnlyList<WorkerSnapshot> candidates = Candidates.ForPrefill(request, workers, decode, failed);
        if (candidates.Count < 2)
        {
            return candidates.Count == 0 ? null : candidates[0];
        }

        int first = Draw(request.Turn, 2, candidates.Count);
        int second = (first + 1 + Draw(request.Turn, 3, candidates.Count - 1)) % candidates.Count;
        return QueueLoad.Of(candidates[second]) < QueueLoad.Of(candidates[first]) ? candidates[second] : candidates[first];
    }

    private static int Ways(WorkerGroup group) => (group.Prefill.Count * group.Decode.Count) + group.Mixed.Count;

    private static (WorkerSnapshot? Prefill, WorkerSnapshot Decode) At(IReadOnlyList<WorkerGroup> groups, int way)
    {
        foreach (WorkerGroup group in groups)
        {
            int pairs = group.Prefill.Count * group.Decode.Count;
            if (way < pairs)
            {
                return (group.Prefill[way % group.Prefill.Count], group.Decode[way / group.Prefill.Count]);
            }

            if (way < Ways(group))
            {
                return (null, group.Mixed[way - pairs]);
            }

            way -= Ways(group);
        }

        throw new ArgumentOutOfRangeException(nameof(way));
    }

    private static long Load((WorkerSnapshot? Prefill, WorkerSnapshot Decode) way) =>
        QueueLoad.Of(way.Decode) + (way.Prefill is { } prefill ? QueueLoad.Of(prefill) : 0);

    private static string Describe((WorkerSnapshot? Prefill, WorkerSnapshot Decode) way) =>
        way.Prefill is { } prefill ? $"prefill on {prefill.Info.Id}, decode on {way.Decode.Info.Id}" : $"all on mixed worker {way.Decode.Info.Id}";

    // SplitMix64 (Steele, Lea, Flood, 2014) of the turn: placement stays a function of what it is given.
    private static int Draw(long turn, ulong which, int below)
    {
        ulong x = (((ulong)turn * 4) + which + 1) * 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        x ^= x >> 31;
        return (int)(x % (ulong)below);
    }
}
