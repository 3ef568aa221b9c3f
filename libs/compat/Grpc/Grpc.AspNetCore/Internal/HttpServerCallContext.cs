using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Core.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>One call as its handler sees it. <see cref="HttpServerCallContext.EndAsync"/> and the deadline are in the other half.</summary>
internal sealed partial class HttpServerCallContext(HttpContext http, GrpcServer server, string method) : ServerCallContext
{
    private static readonly AuthContext Unauthenticated = new(null, []);

    private Metadata? _requestHeaders;
    private Metadata? _responseTrailers;
    private CancellationToken _token = http.RequestAborted;
    private DateTime _deadline = DateTime.MaxValue;

    public HttpContext HttpContext => http;

    public GrpcServer Server => server;

    protected override string MethodCore => method;

    protected override string HostCore => http.Request.Host.Value ?? "";

    protected override string PeerCore => http.Connection.RemoteIpAddress switch
    {
        { AddressFamily: AddressFamily.InterNetwork } address => $"ipv4:{address}:{http.Connection.RemotePort}",
        { IsIPv4MappedToIPv6: true } address => $"ipv4:{address.MapToIPv4()}:{http.Connection.RemotePort}",
        IPAddress address => $"ipv6:[{address}]:{http.Connection.RemotePort}",
        null => "unknown",
    };

    protected override DateTime DeadlineCore => _deadline;

    protected override Metadata RequestHeadersCore => _requestHeaders ??= ReadRequestHeaders();

    protected override CancellationToken CancellationTokenCore => _token;

    protected override Metadata ResponseTrailersCore => _responseTrailers ??= [];

    protected override Status StatusCore { get; set; }

    protected override WriteOptions? WriteOptionsCore { get; set; }

    protected override AuthContext AuthContextCore => Unauthenticated;

    protected override async Task WriteResponseHeadersAsyncCore(Metadata responseHeaders)
    {
        ArgumentNullException.ThrowIfNull(responseHeaders);
        BeginWrite();
        try
        {
            if (http.Response.HasStarted)
            {
                throw new InvalidOperationException("Response headers can only be sent once per call.");
            }

            foreach (Metadata.Entry entry in responseHeaders)
            {
                http.Response.Headers.Append(entry.Key, MetadataEncoding.Encode(entry));
            }

            await http.Response.BodyWriter.FlushAsync(_token).ConfigureAwait(false);
        }
        finally
        {
            EndWrite();
        }
    }

    protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) =>
        throw new NotSupportedException("Propagation tokens are not supported; pass Deadline and CancellationToken to the call.");

    /// <summary>Resets the stream: for a response that can't be ended properly.</summary>
    public void Abort(int http2Error)
    {
        if (http.Features.Get<IHttpResetFeature>() is { } reset)
        {
            reset.Reset(http2Error);
        }
        else
        {
            http.Abort();
        }
    }

    private Metadata ReadRequestHeaders()
    {
        var metadata = new Metadata();
        foreach ((string name, StringValues values) in http.Request.Headers)
        {
            if (GrpcHeaders.IsMetadata(name))
            {
                foreach (string? value in values)
                {
                    MetadataEncoding.Decode(metadata, name, value ?? "");
                }
            }
        }

        return metadata;
    }
}
