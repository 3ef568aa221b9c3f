using LlmCluster.Bench.Kv;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Engine;
using LlmCluster.KvTransfer;
using LlmCluster.KvTransfer.Receiving;
using LlmCluster.KvTransfer.Sending;
using LlmCluster.KvTransfer.Transports.Grpc;
using LlmCluster.Protocol.V1;
using Microsoft.AspNetCore.Builder;

namespace LlmCluster.Bench.Interference;

/// <summary>
/// A prefill worker and a decode worker, each with threads of its own and a pool of its own; K/V goes from one to the other over gRPC on
/// loopback, as between machines.
/// </summary>
internal sealed class SeparatedRig : IRig
{
    private readonly CpuModelRunner _prefillRunner;
    private readonly CpuModelRunner _decodeRunner;
    private readonly InferenceEngine _prefill;
    private readonly InferenceEngine _decode;
    private readonly KvReceiver _receiver;
    private readonly GrpcKvTransport _transport = new();
    private readonly KvSender _sender;
    private readonly WebApplication _server;
    private int _sequences;

    private SeparatedRig(CpuModel model, int blockCount, EngineOptions options)
    {
        _prefillRunner = new CpuModelRunner(model, blockCount);
        _decodeRunner = new CpuModelRunner(model, blockCount);
        _prefill = new InferenceEngine(_prefillRunner, options);
        _decode = new InferenceEngine(_decodeRunner, options);
        _receiver = new KvReceiver(_decode, new KvReceiverOptions());
        _sender = new KvSender(_prefill, _transport, new KvSenderOptions());
        _server = TransferServer.Create(_receiver, GrpcKvTransport.WindowBytes);
    }

    /// <summary>Starts both workers, each with the threads of <paramref name="model"/>.</summary>
    public static async Task<SeparatedRig> StartAsync(CpuModel model, int blockCount, EngineOptions options, CancellationToken cancellationToken)
    {
        var rig = new SeparatedRig(model, blockCount, options);
        await rig._server.StartAsync(cancellationToken).ConfigureAwait(false);
        return rig;
    }

    public async ValueTask<IGeneration> StartAsync(GenerationRequest request, CancellationToken cancellationToken)
    {
        var id = new SequenceId { RequestId = $"interference-{Interlocked.Increment(ref _sequences)}", Epoch = 1 };
        PrefillRequest sequence = SequenceMapping.ToPrefillRequest(request, id, new Uri(_server.Urls.First()));
        await _sender.SendAsync(sequence, cancellationToken).ConfigureAwait(false);
        return await _receiver.ReceiveAsync(id.RequestId, 0, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await _transport.DisposeAsync().ConfigureAwait(false);
        await _receiver.DisposeAsync().ConfigureAwait(false);
        await _server.StopAsync().ConfigureAwait(false);
        await _server.DisposeAsync().ConfigureAwait(false);
        await _prefill.DisposeAsync().ConfigureAwait(false);
        await _decode.DisposeAsync().ConfigureAwait(false);
        _prefillRunner.Dispose();
        _decodeRunner.Dispose();
    }
}
