using Grpc.AspNetCore.Server;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace LlmCluster.Tests.Unit.Grpc;

/// <summary>A Kestrel server on a free port of 127.0.0.1 that speaks plain HTTP/2, and a channel to it.</summary>
internal sealed class GrpcTestServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private GrpcTestServer(WebApplication app, GrpcChannel channel) => (_app, Channel) = (app, channel);

    public GrpcChannel Channel { get; }

    public string Address => _app.Urls.Single();

    public static async Task<GrpcTestServer> StartAsync(
        Action<WebApplication> map,
        Action<GrpcServiceOptions>? grpc = null,
        Action<IServiceCollection>? services = null,
        GrpcChannelOptions? channel = null,
        HttpProtocols protocols = HttpProtocols.Http2)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ConfigureEndpointDefaults(endpoint => endpoint.Protocols = protocols));
        builder.Services.AddGrpc(grpc ?? (_ => { }));
        services?.Invoke(builder.Services);
        WebApplication app = builder.Build();
        map(app);
        await app.StartAsync();
        return new GrpcTestServer(app, GrpcChannel.ForAddress(app.Urls.Single(), channel ?? new GrpcChannelOptions()));
    }

    /// <summary>Stops the server while the channel is open.</summary>
    public async ValueTask StopAsync()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        await _app.StopAsync(deadline.Token);
    }

    public async ValueTask DisposeAsync()
    {
        Channel.Dispose();
        await StopAsync();
        await _app.DisposeAsync();
    }
}
