using Grpc.AspNetCore.Server;
using Grpc.Core;
using Grpc.Net.Client;
using LlmCluster.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace LlmCluster.Tests.Unit.Grpc;

/// <summary>A server with a <see cref="ScriptedService"/>, and calls to it.</summary>
internal sealed class ScriptedServer : IAsyncDisposable
{
    /// <summary>Longer than any passing test waits.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly GrpcTestServer _server;

    private ScriptedServer(GrpcTestServer server, Script script) => (_server, Script) = (server, script);

    public Script Script { get; }

    public GrpcChannel Channel => _server.Channel;

    public string Address => _server.Address;

    public static async Task<ScriptedServer> StartAsync(
        Action<GrpcServiceOptions>? grpc = null, GrpcChannelOptions? channel = null)
    {
        var script = new Script();
        GrpcTestServer server = await GrpcTestServer.StartAsync(
            app => app.MapGrpcService<ScriptedService>(), grpc, services => services.AddSingleton(script), channel);
        return new ScriptedServer(server, script);
    }

    public AsyncUnaryCall<Blob> Unary(CallOptions options = default, byte[]? request = null) =>
        Channel.CreateCallInvoker().AsyncUnaryCall(BytesService.Unary, null, options, new Blob(request ?? []));

    public AsyncClientStreamingCall<Blob, Blob> Collect(CallOptions options = default) =>
        Channel.CreateCallInvoker().AsyncClientStreamingCall(BytesService.Collect, null, options);

    public AsyncServerStreamingCall<Blob> Repeat(CallOptions options = default, byte[]? request = null) =>
        Channel.CreateCallInvoker().AsyncServerStreamingCall(BytesService.Repeat, null, options, new Blob(request ?? []));

    public AsyncDuplexStreamingCall<Blob, Blob> Echo(CallOptions options = default) =>
        Channel.CreateCallInvoker().AsyncDuplexStreamingCall(BytesService.Echo, null, options);

    /// <summary>Fails if a call's service object is left behind.</summary>
    public async ValueTask DisposeAsync()
    {
        await Eventually.TrueAsync(() => Volatile.Read(ref Script.Alive) == 0, Patience);
        await _server.DisposeAsync();
    }
}
