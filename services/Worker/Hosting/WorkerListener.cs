using System.Net;
using LlmCluster.KvTransfer.Transports.Grpc;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace LlmCluster.Worker.Hosting;

/// <summary>The worker's two endpoints: HTTP/1.1 for clients' requests and probes, HTTP/2 without TLS for gRPC.</summary>
internal sealed class WorkerListener(WorkerOptions options)
{
    private const int MaxStreams = 1024;

    private ListenOptions? _http;
    private ListenOptions? _grpc;

    /// <summary>Where others reach HTTP/1.1, once the server has started.</summary>
    public Uri HttpEndpoint => Address(_http);

    /// <summary>Where others reach gRPC, once the server has started.</summary>
    public Uri GrpcEndpoint => Address(_grpc);

    /// <summary>Reads <see cref="WorkerOptions.Host"/>.</summary>
    public static bool TryParseHost(string host, out IPAddress address)
    {
        address = host switch
        {
            "localhost" => IPAddress.Loopback,
            "*" or "+" => IPAddress.Any,
            _ => IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? parsed) ? parsed : IPAddress.None,
        };
        return !address.Equals(IPAddress.None);
    }

    public void Configure(KestrelServerOptions kestrel)
    {
        TryParseHost(options.Host, out IPAddress address);
        kestrel.AddServerHeader = false;
        KestrelServerLimits limits = kestrel.Limits;
        limits.MaxRequestBodySize = null;

        // A transfer is silent while its prompt is computed, and an answer while its sequence waits: their own deadlines count.
        limits.MinRequestBodyDataRate = null;
        limits.MinResponseDataRate = null;
        limits.Http2.InitialStreamWindowSize = GrpcKvTransport.WindowBytes;

        // More than a stream's, so that one slow transfer does not hold up those beside it.
        limits.Http2.InitialConnectionWindowSize = 4 * GrpcKvTransport.WindowBytes;
        limits.Http2.MaxStreamsPerConnection = MaxStreams;
        limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(15);
        limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(10);
        kestrel.Listen(address, options.HttpPort, listen => (_http = listen).Protocols = HttpProtocols.Http1);
        kestrel.Listen(address, options.GrpcPort, listen => (_grpc = listen).Protocols = HttpProtocols.Http2);
    }

    private Uri Address(ListenOptions? listen)
    {
        IPEndPoint bound = listen?.IPEndPoint ?? throw new InvalidOperationException("The worker does not listen yet.");
        string host = options.AdvertisedHost
            ?? (bound.Address.Equals(IPAddress.Any) || bound.Address.Equals(IPAddress.IPv6Any) ? Dns.GetHostName() : bound.Address.ToString());
        return new UriBuilder(Uri.UriSchemeHttp, host, bound.Port).Uri;
    }
}
