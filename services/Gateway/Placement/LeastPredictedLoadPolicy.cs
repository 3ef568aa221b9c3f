using System.Globalization;
using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>
/// Takes the mixed worker, or the prefill and decode worker, with the least work left: prompt tokens to compute and output tokens that are predicted to be generated,
/// relative to the tokens that its KV pool holds. Workers on which the request is predicted to fit the pool come first. A pair is as loaded as the worker of the two that is
/// more so; among equals, workers take turns.
/// </summary>
public sealed class LeastPredictedLoadPolicy : IPlacementPolicy
{
    // For workers that predict nothing: the tokens that a sequence of theirs counts for.
    private const int AssumedOutput = 256;

    /// <inheritdoc/>
    public PlacementResult Place(PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers)
    {
        IReadOnlyList<WorkerGroup> groups = Candidates.Groups(request, workers);
        List<Way> ways = [];
        foreach (WorkerGroup group in groups)
        {
            ways.AddRange(group.Mixed.Select(mixed => new Way(null, mixed, Rate(mixed, request, generates: true))));
            if (group.HasPairs)
            {
                WorkerSnapshot prefill = Least(group.Prefill, request, generates: false);
                WorkerSnapshot decode = Least(group.Decode, request, generates: true);
                ways.Add(new Way(prefill, decode, Rating.Worse(Rate(prefill, request, generates: false), Rate(decode, request, generates: true))));
            }
        }

        if (ways.Count == 0)
        {
            return Candidates.None(request, workers);
        }

        Way best = InTurn(ways, way => way.Rating, request.Turn);
        string load = string.Create(CultureInfo.InvariantCulture, $"least predicted load, {best.Rating.Load:0.###}{(best.Rating.Fits ? "" : ", though it may not fit")}");
        string reason = best.Prefill is { } first
            ? $"{load}: prefill on {first.Info.Id}, decode on {best.Decode.Info.Id}"
            : $"{load}: all on mixed worker {best.Decode.Info.Id}";
        return new PlacementResult(new RequestPlacement(best.Prefill, best.Decode, reason), reason);
    }

    /// <inheritdoc/>
    public WorkerSnapshot? ReplacePrefill(
        PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers, WorkerInfo decode, IReadOnlySet<string> failed)
    {
        IReadOnlyList<WorkerSnapshot> candidates = Candidates.ForPrefill(request, workers, decode, failed);
        return candidates.Count == 0 ? null : Least(candidates, request, generates: false);
    }

    private static WorkerSnapshot Least(IReadOnlyList<WorkerSnapshot> workers, PlacementRequest request, bool generates) =>
        InTurn(workers, worker => Rate(worker, request, generates), request.Turn);

    private static T InTurn<T>(IReadOnlyList<T> all, Func<T, Rating> rate, long turn)
    {
        Rating least = all.Min(rate);
        T[] equals = [.. all.Where(one => rate(one).CompareTo(least) == 0)];
        return equals[Math.Max(turn - 1, 0) % equals.Length];
    }

    private static Rating Rate(WorkerSnapshot worker, PlacementRequest request, bool generates)
    {
        WorkerLoad load = worker.Load;
        bool predicts = load.Report > 0;
        long each = predicts ? load.MedianOutput : AssumedOutput;
        long reported = predicts ? load.PredictedTokens : (load.Running + load.Waiting) * each;

        // Reports are old by some 100 ms; what is reserved is known at once.
        long output = Math.Max(reported, worker.Reserved.Sequences * each);
        long blocks = Math.Max(Math.Max(load.PredictedBlocks, load.ReferencedBlocks), worker.Reserved.Blocks);
        long own = request.PromptTokens + (generates ? request.Sequences * each : 0);
        double capacity = (double)worker.Info.TotalBlocks * worker.Info.BlockSize;
        return new Rating(blocks + (own / worker.Info.BlockSize) <= worker.Info.TotalBlocks, (CostModel.QueuedTokens(worker) + output) / Math.Max(capacity, 1));
    }

    private readonly record struct Way(WorkerSnapshot? Prefill, WorkerSnapshot Decode, Rating Rating);

    private readonly record struct Rating(bool Fits, double Load) : IComparable<Rating>
    {
        public static Rating Worse(Rating one, Rating other) => new(one.Fits && other.Fits, Math.Max(one.Load, other.Load));

        public int CompareTo(Rating other) => Fits == other.Fits ? Load.CompareTo(other.Load) : Fits ? -1 : 1;
    }
}
