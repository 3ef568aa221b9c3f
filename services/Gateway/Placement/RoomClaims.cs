using LlmCluster.Cluster;
using LlmCluster.Cluster.Reservations;

namespace LlmCluster.Gateway.Placement;

/// <summary>
/// What a placed request takes of its workers. Blocks that it shares with other requests count for each of them, so that what is promised fits even when nothing is
/// shared; choices of one prompt share its full blocks, which count once.
/// </summary>
public static class RoomClaims
{
    // Tokens of an output on a worker that has generated none yet.
    private const int AssumedOutput = 256;

    /// <summary>The claims: one a worker, those of the decode worker last.</summary>
    public static IReadOnlyList<RoomClaim> For(RequestPlacement placement, PlacementRequest request)
    {
        int uncached = Math.Max(request.PromptTokens - placement.ReusedTokens, 0);
        WorkerInfo decode = placement.Decode.Info;
        int blocks = BlocksWithOutput(request, placement.Decode);
        return placement.Prefill is { Info: { } prefill } first
            ? [
                new RoomClaim(prefill.Id, PromptBlocks(request, first), uncached, 0, prefill.TotalBlocks),
                new RoomClaim(decode.Id, blocks, 0, request.Sequences, decode.TotalBlocks),
            ]
            : [new RoomClaim(decode.Id, blocks, uncached, request.Sequences, decode.TotalBlocks)];
    }

    /// <summary>Blocks of the prompts on a worker: a sequence has a block of its own for where its prompt ends. At most all that it has.</summary>
    public static int PromptBlocks(PlacementRequest request, WorkerSnapshot worker) => Blocks(request, worker, output: 0);

    /// <summary>Blocks of the prompts and of what is predicted to be generated; at most all that the worker has.</summary>
    public static int BlocksWithOutput(PlacementRequest request, WorkerSnapshot worker) => Blocks(request, worker, PredictedOutput(request, worker));

    /// <summary>Tokens that all sequences together are predicted to generate.</summary>
    public static long PredictedOutput(PlacementRequest request, WorkerSnapshot worker)
    {
        long median = (long)request.Sequences * (worker.Load.MedianOutput > 0 ? worker.Load.MedianOutput : AssumedOutput);
        return request.MaxOutputTokens > 0 ? Math.Min(request.MaxOutputTokens, median) : median;
    }

    private static int Blocks(PlacementRequest request, WorkerSnapshot worker, long output)
    {
        long size = Math.Max(worker.Info.BlockSize, 1);
        return (int)Math.Min(((request.PromptTokens + output) / size) + request.Sequences, worker.Info.TotalBlocks);
    }
}
