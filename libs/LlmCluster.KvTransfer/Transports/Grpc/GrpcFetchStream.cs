using Grpc.Core;
using LlmCluster.KvTransfer.Fetching;
using LlmCluster.KvTransfer.Frames;

namespace LlmCluster.KvTransfer.Transports.Grpc;

/// <summary>A worker's answer to a fetch over gRPC.</summary>
internal sealed class GrpcFetchStream(AsyncServerStreamingCall<KvFetchIncoming> call, Uri peer) : IKvFetchStream
{
    public async ValueTask<KvFetchIncoming?> ReadAsync(IKvBlockSink blocks, CancellationToken cancellationToken)
    {
        KvTransferMethod.BlockSink.Value = blocks;
        try
        {
            return await call.ResponseStream.MoveNext(cancellationToken).ConfigureAwait(false) ? call.ResponseStream.Current : null;
        }
        catch (RpcException e)
        {
            throw cancellationToken.IsCancellationRequested
                ? new OperationCanceledException(e.Message, e, cancellationToken)
                : KvStatus.FromRpcException(e, peer, "Worker");
        }
    }

    public ValueTask DisposeAsync()
    {
        call.Dispose();
        return ValueTask.CompletedTask;
    }
}
