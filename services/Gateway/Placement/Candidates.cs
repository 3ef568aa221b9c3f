using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>Which workers could serve a request: what all policies choose from.</summary>
internal static class Candidates
{
    /// <summary>The workers that can serve the request, alone or in pairs, in groups that can exchange blocks; none that can't.</summary>
    public static IReadOnlyList<WorkerGroup> Groups(PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers) =>
        [.. workers
            .Where(w => Serves(w, request.Model))
            .GroupBy(w => (w.Info.ModelFingerprint, w.Info.LayoutFingerprint))
            .Select(g => new WorkerGroup([.. g]))
            .Where(g => g.HasPairs || g.Mixed.Count > 0)];

    /// <summary>Prefill workers that can take over from others that failed. Mixed workers can step in, but only where there is no dedicated one.</summary>
    public static IReadOnlyList<WorkerSnapshot> ForPrefill(
        PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers, WorkerInfo decode, IReadOnlySet<string> failed)
    {
        WorkerSnapshot[] others = [.. workers.Where(w =>
            Serves(w, request.Model)
            && w.Info.Role != WorkerRole.Decode
            && w.Info.Id != decode.Id
            && !failed.Contains(w.Info.Id)
            && w.Info.ModelFingerprint == decode.ModelFingerprint
            && w.Info.LayoutFingerprint == decode.LayoutFingerprint)];
        WorkerSnapshot[] dedicated = Array.FindAll(others, w => w.Info.Role == WorkerRole.Prefill);
        return dedicated.Length > 0 ? dedicated : others;
    }

    /// <summary>Why <see cref="Groups"/> is empty, for clients and operators.</summary>
    public static PlacementResult None(PlacementRequest request, IReadOnlyList<WorkerSnapshot> workers)
    {
        string model = request.Model;
        WorkerSnapshot[] ready = [.. workers.Where(w => Serves(w, model))];
        return new PlacementResult(null, ready.Length > 0 ? ExplainReady(model, ready) : ExplainNone(model, workers));
    }

    private static bool Serves(WorkerSnapshot worker, string model) =>
        worker.Status == WorkerStatus.Ready && worker.Info.Model == model;

    private static string ExplainReady(string model, WorkerSnapshot[] ready)
    {
        bool bothRoles = Array.Exists(ready, w => w.Info.Role == WorkerRole.Prefill) && Array.Exists(ready, w => w.Info.Role == WorkerRole.Decode);
        return bothRoles
            ? $"No prefill worker of model '{model}' can hand over to a decode worker: their models or KV layouts differ ({string.Join("; ", ready.Select(Describe))})."
            : $"Model '{model}' needs a prefill and a decode worker, or a mixed one, but there is only: {string.Join(", ", ready.Select(w => $"{w.Info.Id} ({w.Info.Role})"))}.";
    }

    private static string ExplainNone(string model, IReadOnlyList<WorkerSnapshot> workers) => workers.Count == 0
        ? $"No worker of model '{model}' is there."
        : $"No worker of model '{model}' takes requests. Workers: {string.Join(", ", workers.Select(w => $"{w.Info.Id} ({w.Info.Role}, {w.Status}, model '{w.Info.Model}')"))}.";

    private static string Describe(WorkerSnapshot worker) =>
        $"{worker.Info.Id}: {worker.Info.ModelFingerprint}, {worker.Info.LayoutFingerprint}";
}
