using System.Collections.Concurrent;
using Grpc.Net.Client;
using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Dispatch;

/// <summary>One channel for each prefill worker, for as long as the worker is a member.</summary>
internal sealed class PrefillChannels : IDisposable
{
    private readonly ConcurrentDictionary<Uri, Lazy<GrpcChannel>> _channels = new();
    private readonly ClusterView _view;
    private readonly GatewayOptions _options;

    public PrefillChannels(ClusterView view, GatewayOptions options)
    {
        _view = view;
        _options = options;
        _view.Changed += Forget;
    }

    public GrpcChannel Get(Uri endpoint) => _channels.GetOrAdd(endpoint, e => new Lazy<GrpcChannel>(() => Create(e))).Value;

    public void Dispose()
    {
        _view.Changed -= Forget;
        foreach (Uri endpoint in _channels.Keys)
        {
            Remove(endpoint);
        }
    }

    private GrpcChannel Create(Uri endpoint) => GrpcChannel.ForAddress(endpoint, new GrpcChannelOptions
    {
        DisposeHttpClient = true,
        HttpHandler = new SocketsHttpHandler
        {
            ConnectTimeout = _options.ConnectTimeout,
            EnableMultipleHttp2Connections = true,
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(5),

            // Finds out that a host is gone whose end nobody announced.
            KeepAlivePingDelay = TimeSpan.FromSeconds(20),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
            UseProxy = false,
        },
    });

    private void Forget(IReadOnlyList<WorkerSnapshot> workers)
    {
        var members = workers.Select(w => w.Info.GrpcEndpoint).ToHashSet();
        foreach (Uri endpoint in _channels.Keys)
        {
            if (!members.Contains(endpoint))
            {
                Remove(endpoint);
            }
        }
    }

    private void Remove(Uri endpoint)
    {
        if (_channels.TryRemove(endpoint, out Lazy<GrpcChannel>? channel) && channel.IsValueCreated)
        {
            channel.Value.Dispose();
        }
    }
}
