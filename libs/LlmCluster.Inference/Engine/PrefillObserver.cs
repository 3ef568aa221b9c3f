using LlmCluster.Inference.Execution;

namespace LlmCluster.Inference.Engine;

/// <summary>Passes the progress of a forward pass on to the sinks of the prompts in it.</summary>
internal sealed class PrefillObserver : IForwardObserver
{
    private readonly List<(PrefillOutput Output, int FirstBlock, int Count)> _chunks = [];

    public bool IsEmpty => _chunks.Count == 0;

    public void Clear() => _chunks.Clear();

    public void Add(PrefillOutput output, int firstBlock, int count) => _chunks.Add((output, firstBlock, count));

    public void OnLayerWritten(int layer)
    {
        foreach ((PrefillOutput output, int firstBlock, int count) in _chunks)
        {
            output.OnBlocksWritten(layer, firstBlock, count);
        }
    }
}
