using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;

namespace LlmCluster.Inference.Scheduling;

/// <summary>Where a sequence reports. Called on the engine's thread; members return at once and don't throw.</summary>
internal interface ISequenceOutput
{
    /// <summary>The sequence holds its blocks and is going to be computed; again, when it was preempted before.</summary>
    void OnAdmitted(Sequence sequence, BlockPool pool);

    /// <summary>A token was chosen.</summary>
    void OnToken(in GeneratedToken token);

    /// <summary>The sequence ended, well or with an error, and its blocks are given back.</summary>
    void OnEnded(Exception? error);
}
