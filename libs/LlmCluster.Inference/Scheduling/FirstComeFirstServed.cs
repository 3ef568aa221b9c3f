using LlmCluster.Inference.KvCache;

namespace LlmCluster.Inference.Scheduling;

/// <summary>The order of arrival.</summary>
internal sealed class FirstComeFirstServed : IQueuePolicy
{
    public bool Reorders => false;

    public double Rank(Sequence sequence, BlockPool pool, TimeSpan waited) => 0;
}
