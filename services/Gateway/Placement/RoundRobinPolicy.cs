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
        List<WorkerSnapshot> ready = [.. workers.Where(w => Serves(w, request.Model))];
        List<WorkerGroup> groups = [.. ready
            .GroupBy(w => (w.Info.ModelFingerprint, w.Info.LayoutFingerprint))
            .Select(g => new WorkerGroup([.. g]))
            .Where(g => g.Ways > 0)];
        int ways = groups.Sum(g => g.Ways);
        if (ways == 0)
        {
            return new PlacementResult(null, Explain(request.Model, workers, ready));
        }

        long turn = Math.Max(request.Turn - 1, 0);
        int way = (int)(turn % ways);
        foreach (WorkerGroup group in groups)
        {
            if (way < group.Ways)
            {
                RequestPlacement placement = group.Choose(way, turn / ways, request.Turn);
                return new PlacementResult(placement, placement.Reason);
            }

            way -= group.Ways;
        }

        throw new InvalidOperationException("The ways to serve a request were counted wrongly.");
    }

    /// <inheritdoc/>
    public WorkerSnapshot? ReplacePrefill(
        PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers, WorkerInfo decode, IReadOnlySet<string> failed)
    {
        WorkerSnapshot[] others = [.. workers.Where(w =>
            Serves(w, request.Model)
            && w.Info.Role != WorkerRole.Decode
            && w.Info.Id != decode.Id
            && !failed.Contains(w.Info.Id)
            && w.Info.ModelFingerprint == decode.ModelFingerprint
            && w.Info.LayoutFingerprint == decode.LayoutFingerprint)];

        // Mixed workers can step in, but dedicated ones come first.
        WorkerSnapshot[] dedicated = Array.FindAll(others, w => w.Info.Role == WorkerRole.Prefill);
        WorkerSnapshot[] candidates = dedicated.Length > 0 ? dedicated : others;
        return candidates.Length == 0 ? null : candidates[(int)(Math.Max(request.Turn, 0) % candidates.Length)];
    }

    private static bool Serves(WorkerSnapshot worker, string model) =>
        worker.Status == WorkerStatus.Ready && worker.Info.Model == model;

    private static string Explain(string model, IReadOnlyList<WorkerSnapshot> workers, List<WorkerSnapshot> ready)
    {
        if (ready.Count > 0)
        {
            bool bothRoles = ready.Exists(w => w.Info.Role == WorkerRole.Prefill) && ready.Exists(w => w.Info.Role == WorkerRole.Decode);
            return bothRoles
                ? $"No prefill worker of model '{model}' can hand over to a decode worker: their models or KV layouts differ ({string.Join("; ", ready.Select(Describe))})."
                : $"Model '{model}' needs a prefill and a decode worker, or a mixed one, but there is only: {string.Join(", ", ready.Select(w => $"{w.Info.Id} ({w.Info.Role})"))}.";
        }

        return workers.Count == 0
            ? $"No worker of model '{model}' is there."
            : $"No worker of model '{model}' takes requests. Workers: {string.Join(", ", workers.Select(w => $"{w.Info.Id} ({w.Info.Role}, {w.Status}, model '{w.Info.Model}')"))}.";
    }

    private static string Describe(WorkerSnapshot worker) =>
        $"{worker.Info.Id}: {worker.Info.ModelFingerprint}, {worker.Info.LayoutFingerprint}";

    /// <summary>Workers that can exchange blocks.</summary>
    private sealed class WorkerGroup(WorkerSnapshot[] workers)
    {
        private readonly WorkerSnapshot[] _prefill = OfRole(workers, WorkerRole.Prefill);
        private readonly WorkerSnapshot[] _decode = OfRole(workers, WorkerRole.Decode);
        private readonly WorkerSnapshot[] _mixed = OfRole(workers, WorkerRole.Mixed);

        private int Pairs => _prefill.Length > 0 && _decode.Length > 0 ? Math.Max(_prefill.Length, _decode.Length) : 0;

        public int Ways => Pairs + _mixed.Length;

        public RequestPlacement Choose(int way, long round, long turn)
        {
            if (way >= Pairs)
            {
                WorkerSnapshot mixed = _mixed[way - Pairs];
                return new RequestPlacement(null, mixed, $"round robin, turn {turn}: all on mixed worker {mixed.Info.Id}");
            }

            WorkerSnapshot prefill = _prefill[way % _prefill.Length];
            WorkerSnapshot decode = _decode[(int)((way + round) % _decode.Length)];
            return new RequestPlacement(prefill, decode, $"round robin, turn {turn}: prefill on {prefill.Info.Id}, decode on {decode.Info.Id}");
        }

        private static WorkerSnapshot[] OfRole(WorkerSnapshot[] workers, WorkerRole role) => Array.FindAll(workers, w => w.Info.Role == role);
    }
}
