using System.Net;
using LlmCluster.KvTransfer.Receiving;
using LlmCluster.KvTransfer.Transports.Grpc;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace LlmCluster.Bench.Kv;

/// <summary>A server on loopback that takes KV transfers as a decode worker does.</summary>
internal static class TransferServer
{
    /// <summary>Creates one; it is not started, and listens on a free port.</summary>
    /// <param name="receiver">Takes the transfers.</param>
    /// <param name="windowBytes">HTTP/2 window of a stream and of a connection.</param>
    public static WebApplication Create(KvReceiver receiver, int windowBytes)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.Http2.InitialStreamWindowSize = windowBytes;
            kestrel.Limits.Http2.InitialConnectionWindowSize = windowBytes;
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
        });
        builder.Services.AddRoutingCore();
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = GrpcKvTransport.MaxMessageBytes);
        builder.Services.AddSingleton(receiver);
        WebApplication app = builder.Build();
        app.MapGrpcService<KvTransferService>();
        return app;
    }
}
