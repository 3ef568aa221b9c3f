using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Scheduling;

namespace LlmCluster.Tests.Unit.Scheduling;

/// <summary>Takes tokens for nobody.</summary>
internal sealed class NoOutput : ISequenceOutput
{
    public static readonly NoOutput Instance = new();

    public void OnAdmitted(Sequence sequence, BlockPool pool)
    {
    }

    public void OnToken(in GeneratedToken token)
    {
    }

    public void OnEnded(Exception? error)
    {
    }
}
