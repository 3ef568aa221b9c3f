using LlmCluster.Inference.Engine;
using LlmCluster.KvTransfer.Receiving;

namespace LlmCluster.Worker.Sequences;

/// <summary>Sequences of the worker's engine: computed here, or handed over by prefill workers.</summary>
internal sealed class WorkerSequenceSource(IInferenceEngine engine, KvReceiver receiver) : ISequenceSource
{
    public IGeneration Start(GenerationRequest request) => engine.Submit(request);

    public ValueTask<IGeneration> ReceiveAsync(string requestId, int index, CancellationToken cancellationToken) =>
        receiver.ReceiveAsync(requestId, index, cancellationToken);
}
