using LlmCluster.Cluster;
using LlmCluster.Cluster.Reservations;
using LlmCluster.Gateway.Placement;

namespace LlmCluster.Tests.Unit.Gateway;

/// <summary>Workers with round rates, for sums that can be done by hand: 1,000 prompt tokens and 1,600 KB (1,600 tokens' K/V) a second, 1,000 blocks of 16, steps of 30 ms with 8 sequences.</summary>
internal static class PlacementWorkers
{
    public static WorkerSnapshot Prefill(string id, long queued = 0) => Create(id, WorkerRole.Prefill, queued);

    public static WorkerSnapshot Decode(string id, int running = 0) => Create(id, WorkerRole.Decode, running: running);

    public static WorkerSnapshot Mixed(string id, long queued = 0, int running = 0) => Create(id, WorkerRole.Mixed, queued, running);

    public static WorkerSnapshot Create(string id, WorkerRole role, long queued = 0, int running = 0)
    {
        WorkerSnapshot worker = Workers.Create(id, role);
        return worker with
        {
            Info = worker.Info with { TotalBlocks = 1000, BlockBytes = 16_000 },
            Load = new WorkerLoad { Report = 1, Running = running, PrefillRate = 1000, TransferRate = 1_600_000, StepTime = 0.00075 * (32 + running), MedianOutput = 100 },
            Reserved = new ReservedRoom(0, queued, running),
        };
    }

    public static PlacementRequest Request(int prompt, params (string Worker, int Tokens)[] held) => new("m", prompt, 1, 1)
    {
        Held = held.ToDictionary(h => h.Worker, h => new HeldTokens(h.Tokens, h.Tokens)),
    };

    public static string Names(this PlacementResult result) =>
        $"{result.Placement!.Prefill?.Info.Id}>{result.Placement.Decode.Info.Id}{(result.Placement.FetchFrom is { } source ? "<" + source.Info.Id : "")}";
}
