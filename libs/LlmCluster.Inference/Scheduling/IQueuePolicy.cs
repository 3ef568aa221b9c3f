using LlmCluster.Inference.KvCache;

namespace LlmCluster.Inference.Scheduling;

/// <summary>In which order waiting sequences get their place in the batch. Tokens never depend on it.</summary>
internal interface IQueuePolicy
{
    /// <summary>Whether sequences pass each other at all.</summary>
    bool Reorders { get; }

    /// <summary>A sequence's place: less is sooner; among equals, arrival decides.</summary>
    /// <param name="sequence">It waits, and was not admitted before.</param>
    /// <param name="pool">What is cached.</param>
    /// <param name="waited">Since it was queued.</param>
    double Rank(Sequence sequence, BlockPool pool, TimeSpan waited);
}
