using System.Collections.Concurrent;
using Grpc.Core;
using Grpc.Net.Client;
using LlmCluster.KvTransfer.Fetching;
using LlmCluster.Protocol.V1;

namespace LlmCluster.KvTransfer.Transports.Grpc;

/// <summary>Transfers as gRPC streams. Connections are kept and shared by all transfers to the same worker.</summary>
public sealed class GrpcKvTransport : IKvTransport, IKvFetchTransport
{
    /// <summary>HTTP/2 window of a stream and of a connection at both ends, in bytes.</summary>
    public const int WindowBytes = 16 << 20;

    /// <summary>Largest gRPC message that workers exchange: the largest frame with room for its header, and any prompt.</summary>
    public const int MaxMessageBytes = 32 << 20;

    private readonly ConcurrentDictionary<Uri, Lazy<GrpcChannel>> _channels = new();
    private volatile bool _disposed;

    /// <inheritdoc/>
    public ValueTask<IKvSenderStream> OpenAsync(Uri receiver, CancellationToken cancellationToken)
    {
        try
        {
            var call = ChannelTo(receiver).CreateCallInvoker().AsyncDuplexStreamingCall(
                KvTransferMethod.ForSender, null, new CallOptions(cancellationToken: cancellationToken));
            return ValueTask.FromResult<IKvSenderStream>(new GrpcSenderStream(call, receiver));
        }
        catch (RpcException e)
        {
            throw KvStatus.FromRpcException(e, receiver);
        }
    }

    /// <inheritdoc/>
    public IKvFetchStream Fetch(Uri peer, KvFetchRequest request, CancellationToken cancellationToken)
    {
        var options = new CallOptions(cancellationToken: cancellationToken);
        try
        {
            return new GrpcFetchStream(ChannelTo(peer).CreateCallInvoker().AsyncServerStreamingCall(KvFetchMethod.ForCaller, null, options, request), peer);
        }
        catch (RpcException e)
        {
            throw KvStatus.FromRpcException(e, peer, "Worker");
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _disposed = true;
        foreach (Lazy<GrpcChannel> channel in _channels.Values)
        {
            channel.Value.Dispose();
        }

        _channels.Clear();
        return ValueTask.CompletedTask;
    }

    /// <summary>The HTTP/2 handler that transfers use: several connections, large windows, dead peers found by pings.</summary>
    internal static SocketsHttpHandler CreateHandler() => new()
    {
        EnableMultipleHttp2Connections = true,
        InitialHttp2StreamWindowSize = WindowBytes,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        PooledConnectionIdleTimeout = TimeSpan.FromMinutes(5),
        KeepAlivePingDelay = TimeSpan.FromSeconds(15),
        KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
        KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        UseProxy = false,
    };

    private GrpcChannel ChannelTo(Uri worker)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var authority = new Uri(worker.GetLeftPart(UriPartial.Authority));
        return _channels.GetOrAdd(authority, static key => new Lazy<GrpcChannel>(() => CreateChannel(key))).Value;
    }

    private static GrpcChannel CreateChannel(Uri authority) => GrpcChannel.ForAddress(authority, new GrpcChannelOptions
    {
        HttpHandler = CreateHandler(),
        DisposeHttpClient = true,
        MaxSendMessageSize = MaxMessageBytes,
        MaxReceiveMessageSize = MaxMessageBytes,
    });
}
