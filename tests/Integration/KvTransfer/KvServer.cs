using System.Net;
using Grpc.Core;
using LlmCluster.Inference.Engine;
using LlmCluster.KvTransfer.Frames;
using LlmCluster.KvTransfer.Receiving;
using LlmCluster.KvTransfer.Transports.Grpc;
using LlmCluster.Protocol.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace LlmCluster.Tests.Integration.KvTransfer;

/// <summary>A receiver behind a real server on loopback, whose reading a test can hold up.</summary>
internal sealed class KvServer : IAsyncDisposable
{
    private WebApplication _app = null!;

    private KvServer(KvReceiver receiver) => Receiver = receiver;

    public KvReceiver Receiver { get; }

    public Uri Address => new(_app.Urls.First());

    /// <summary>Awaited before each read of a frame but the first.</summary>
    public Func<Task> BeforeRead { get; set; } = () => Task.CompletedTask;

    public static async Task<KvServer> StartAsync(IInferenceEngine engine, KvReceiverOptions? options = null)
    {
        var server = new KvServer(new KvReceiver(engine, options ?? new KvReceiverOptions()));
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.Http2.InitialStreamWindowSize = GrpcKvTransport.WindowBytes;
            kestrel.Limits.Http2.InitialConnectionWindowSize = GrpcKvTransport.WindowBytes;
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
        });
        builder.Services.AddRoutingCore();
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = GrpcKvTransport.MaxMessageBytes);

        // As an instance, which stays the test's to dispose of.
        builder.Services.AddSingleton(server);
        server._app = builder.Build();
        server._app.MapGrpcService<Service>();
        await server._app.StartAsync();
        return server;
    }

    /// <summary>Cuts every connection, as the end of the process would.</summary>
    public async Task KillAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _app.StopAsync(now.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await Receiver.DisposeAsync();
        await KillAsync();
        await _app.DisposeAsync();
    }

    private sealed class Service(KvServer server) : KvTransferServiceBase
    {
        private readonly KvTransferService _inner = new(server.Receiver);

        public override Task Transfer(
            IAsyncStreamReader<KvIncomingFrame> requestStream, IServerStreamWriter<KvReceiverMessage> responseStream, ServerCallContext context) =>
            _inner.Transfer(new Reader(server, requestStream), responseStream, context);
    }

    private sealed class Reader(KvServer server, IAsyncStreamReader<KvIncomingFrame> inner) : IAsyncStreamReader<KvIncomingFrame>
    {
        private bool _opened;

        public KvIncomingFrame Current => inner.Current;

        public async Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            if (_opened)
            {
                await server.BeforeRead().WaitAsync(cancellationToken);
            }

            _opened = true;
            return await inner.MoveNext(cancellationToken);
        }
    }
}
