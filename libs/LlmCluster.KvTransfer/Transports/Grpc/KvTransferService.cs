using Grpc.Core;
using LlmCluster.KvTransfer.Frames;
using LlmCluster.KvTransfer.Receiving;
using LlmCluster.Protocol.V1;

namespace LlmCluster.KvTransfer.Transports.Grpc;

/// <summary>
/// Base of the KV transfer service, bound by hand as generated code would bind it, but with frames that are read
/// without arrays in between.
/// </summary>
[BindServiceMethod(typeof(KvTransferServiceBase), nameof(BindService))]
public abstract class KvTransferServiceBase
{
    /// <summary>Serves one transfer.</summary>
    /// <param name="requestStream">The sender's frames.</param>
    /// <param name="responseStream">The receiver's messages.</param>
    /// <param name="context">The call.</param>
    public abstract Task Transfer(
        IAsyncStreamReader<KvIncomingFrame> requestStream, IServerStreamWriter<KvReceiverMessage> responseStream, ServerCallContext context);

    /// <summary>Binds the methods of a service; called by the server when the service is mapped.</summary>
    /// <param name="binder">Takes the methods.</param>
    /// <param name="service">The service, or null when the server creates one for each call.</param>
    public static void BindService(ServiceBinderBase binder, KvTransferServiceBase? service) => binder.AddMethod(
        KvTransferMethod.ForReceiver,
        service is null ? null : new DuplexStreamingServerMethod<KvIncomingFrame, KvReceiverMessage>(service.Transfer));
}

/// <summary>Serves transfers over gRPC.</summary>
/// <param name="receiver">Takes them.</param>
public sealed class KvTransferService(KvReceiver receiver) : KvTransferServiceBase
{
    /// <inheritdoc/>
    public override async Task Transfer(
        IAsyncStreamReader<KvIncomingFrame> requestStream, IServerStreamWriter<KvReceiverMessage> responseStream, ServerCallContext context)
    {
        try
        {
            await receiver.RunTransferAsync(new GrpcReceiverStream(requestStream, responseStream), context.CancellationToken).ConfigureAwait(false);
        }
        catch (KvTransferException e)
        {
            throw KvStatus.ToRpcException(e);
        }
    }
}
