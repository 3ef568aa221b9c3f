using Grpc.Core;
using LlmCluster.KvTransfer.Frames;
using LlmCluster.Protocol.V1;

namespace LlmCluster.KvTransfer.Transports.Grpc;

/// <summary>The sender's end of a transfer over gRPC.</summary>
internal sealed class GrpcSenderStream(AsyncDuplexStreamingCall<KvOutgoingFrame, KvReceiverMessage> call, Uri receiver) : IKvSenderStream
{
    public async ValueTask WriteAsync(KvOutgoingFrame frame, CancellationToken cancellationToken)
    {
        try
        {
            await call.RequestStream.WriteAsync(frame, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException)
        {
            throw Translate(e, cancellationToken);
        }
    }

    public async ValueTask CompleteAsync()
    {
        try
        {
            await call.RequestStream.CompleteAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException)
        {
            throw Translate(e, CancellationToken.None);
        }
    }

    public async ValueTask<KvReceiverMessage?> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await call.ResponseStream.MoveNext(cancellationToken).ConfigureAwait(false) ? call.ResponseStream.Current : null;
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException)
        {
            throw Translate(e, cancellationToken);
        }
    }

    public ValueTask DisposeAsync()
    {
        call.Dispose();
        return ValueTask.CompletedTask;
    }

    private Exception Translate(Exception exception, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return new OperationCanceledException(exception.Message, exception, cancellationToken);
        }

        // Writing to a call that has ended is an invalid operation; the reading side has the status.
        return exception is RpcException rpc
            ? KvStatus.FromRpcException(rpc, receiver)
            : new KvTransferException(KvTransferError.Unavailable, $"Decode worker {receiver.GetLeftPart(UriPartial.Authority)} ended the transfer.", exception);
    }
}
