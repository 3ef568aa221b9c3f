using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>How busy workers are, for policies that predict no times: prompt tokens that are to be computed, plus a constant for each sequence that generates.</summary>
internal static class QueueLoad
{
    // What a running sequence counts for, in prompt tokens: some hundred steps are left of it.
    private const int SequenceTokens = 256;

    /// <summary>A worker's load in tokens.</summary>
    public static long Of(WorkerSnapshot worker) => CostModel.QueuedTokens(worker)
        + (SequenceTokens * Math.Max((long)worker.Load.Running + worker.Load.Waiting, worker.Reserved.Sequences));

    /// <summary>The least loaded; equals take turns.</summary>
    /// <param name="workers">At least one.</param>
    /// <param name="turn">The request's turn.</param>
    public static WorkerSnapshot Least(IReadOnlyList<WorkerSnapshot> workers, long turn)
    {
        int first = (int)(Math.Max(turn - 1, 0) % workers.Count);
        WorkerSnapshot least = workers[first];
        for (int i = 1; i < workers.Count; i++)
        {
            WorkerSnapshot worker = workers[(first + i) % workers.Count];
            least = Of(worker) < Of(least) ? worker : least;
        }

        return least;
    }
}
