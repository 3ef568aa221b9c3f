using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.KvTransfer.Fetching;
using LlmCluster.KvTransfer.Receiving;

namespace LlmCluster.Worker.Sequences;

/// <summary>Sequences of the worker's engine: computed here, or handed over by prefill workers.</summary>
internal sealed class WorkerSequenceSource(IInferenceEngine engine, KvReceiver receiver, KvFetcher fetcher) : ISequenceSource
{
    public async ValueTask<IGeneration> StartAsync(GenerationRequest request, Uri? fetchEndpoint, CancellationToken cancellationToken)
    {
        BlockLease? prefix = fetchEndpoint is null ? null : await fetcher.FetchAsync(fetchEndpoint, request, cancellationToken).ConfigureAwait(false);
        return engine.Submit(request, prefix);
    }

    public ValueTask<IGeneration> ReceiveAsync(string requestId, int index, CancellationToken cancellationToken) =>
        receiver.ReceiveAsync(requestId, index, cancellationToken);
}
