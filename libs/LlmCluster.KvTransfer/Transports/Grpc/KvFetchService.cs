using Grpc.Core;
using LlmCluster.KvTransfer.Fetching;
using LlmCluster.Protocol.V1;

namespace LlmCluster.KvTransfer.Transports.Grpc;

/// <summary>Base of the fetch service, bound by hand as generated code would bind it, but with blocks that are written without arrays in between.</summary>
[BindServiceMethod(typeof(KvFetchServiceBase), nameof(BindService))]
public abstract class KvFetchServiceBase
{
    /// <summary>Serves one fetch.</summary>
    /// <param name="request">The blocks.</param>
    /// <param name="responseStream">Takes the messages.</param>
    /// <param name="context">The call.</param>
    public abstract Task Fetch(KvFetchRequest request, IServerStreamWriter<KvFetchOutgoing> responseStream, ServerCallContext context);

    /// <summary>Binds the methods of a service; called by the server when the service is mapped.</summary>
    /// <param name="binder">Takes the methods.</param>
    /// <param name="service">The service, or null when the server creates one for each call.</param>
    public static void BindService(ServiceBinderBase binder, KvFetchServiceBase? service) => binder.AddMethod(
        KvFetchMethod.ForServer,
        service is null ? null : new ServerStreamingServerMethod<KvFetchRequest, KvFetchOutgoing>(service.Fetch));
}

/// <summary>Serves fetches over gRPC.</summary>
/// <param name="server">Has the blocks.</param>
public sealed class KvFetchService(KvFetchServer server) : KvFetchServiceBase
{
    /// <inheritdoc/>
    public override async Task Fetch(KvFetchRequest request, IServerStreamWriter<KvFetchOutgoing> responseStream, ServerCallContext context)
    {
        try
        {
            await server.ServeAsync(request, responseStream.WriteAsync, context.CancellationToken).ConfigureAwait(false);
        }
        catch (KvTransferException e)
        {
            throw KvStatus.ToRpcException(e);
        }
    }
}
