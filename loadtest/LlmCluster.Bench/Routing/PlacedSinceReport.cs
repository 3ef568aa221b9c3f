using LlmCluster.Cluster;
using LlmCluster.Cluster.Reservations;

namespace LlmCluster.Bench.Routing;

/// <summary>What the gateway placed on a worker since its last report: it is added to the report, so that not all that comes between two goes to one worker.</summary>
internal sealed class PlacedSinceReport
{
    private readonly Dictionary<string, (long Report, int Sequences, int Tokens, long Output, int Blocks)> _placed = [];

    public void Add(SimulatedWorker worker, in RoomClaim claim)
    {
        (long report, int sequences, int tokens, long output, int blocks) = _placed.GetValueOrDefault(claim.WorkerId);
        if (report != worker.Load.Report)
        {
            (sequences, tokens, output, blocks) = (0, 0, 0, 0);
        }

        _placed[claim.WorkerId] = (
            worker.Load.Report, sequences + Math.Max(claim.Sequences, 1), tokens + claim.PrefillTokens,
            output + ((long)claim.Sequences * worker.Load.MedianOutput), blocks + claim.Blocks);
    }

    public WorkerSnapshot Snapshot(SimulatedWorker worker)
    {
        WorkerLoad load = worker.Load;
        if (_placed.TryGetValue(worker.Info.Id, out (long Report, int Sequences, int Tokens, long Output, int Blocks) placed) && placed.Report == load.Report)
        {
            load = load with
            {
                Waiting = load.Waiting + placed.Sequences,
                WaitingTokens = load.WaitingTokens + placed.Tokens,
                PredictedTokens = load.PredictedTokens + placed.Output,
                PredictedBlocks = load.PredictedBlocks + placed.Blocks,
            };
        }

        return new WorkerSnapshot(worker.Info, WorkerStatus.Ready, load) { Reserved = worker.Reserved };
    }
}
