using LlmCluster.Inference.KvCache;

namespace LlmCluster.Inference.Scheduling;

/// <summary>The request's priority, less being sooner; every full ageing time that a sequence waits counts as one priority less, so that nobody waits for ever.</summary>
internal sealed class PriorityFirst(TimeSpan ageing) : IQueuePolicy
{
    public bool Reorders => true;

    public double Rank(Sequence sequence, BlockPool pool, TimeSpan waited) => sequence.Request.Priority - Math.Floor(waited / ageing);
}
