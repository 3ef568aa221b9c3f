using Grpc.Core;
using LlmCluster.KvTransfer.Frames;
using LlmCluster.Protocol.V1;

namespace LlmCluster.KvTransfer.Transports.Grpc;

/// <summary>The receiver's end of a transfer over gRPC.</summary>
internal sealed class GrpcReceiverStream(IAsyncStreamReader<KvIncomingFrame> requests, IServerStreamWriter<KvReceiverMessage> responses) : IKvReceiverStream
{
    public async ValueTask<KvIncomingFrame?> ReadAsync(IKvBlockSink? blocks, CancellationToken cancellationToken)
    {
        KvTransferMethod.BlockSink.Value = blocks;
        return await requests.MoveNext(cancellationToken).ConfigureAwait(false) ? requests.Current : null;
    }

    public async ValueTask WriteAsync(KvReceiverMessage message, CancellationToken cancellationToken) =>
        await responses.WriteAsync(message, cancellationToken).ConfigureAwait(false);
}
