using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace LlmCluster.Tests.Interop.Grpc;

/// <summary>Our server with the probe and the health service, for clients in other languages. Takes messages of up to 16 MiB.</summary>
public sealed class ProbeServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private ProbeServer(WebApplication app) => _app = app;

    /// <summary>Address as <c>host:port</c>.</summary>
    public string Target => new Uri(_app.Urls.Single()).Authority;

    /// <summary>Whether the health service says that the server serves.</summary>
    public volatile bool Healthy = true;

    internal ProbeCounts Counts { get; } = new();

    public static async Task<ProbeServer> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.ConfigureEndpointDefaults(endpoint => endpoint.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc(options => options.MaxReceiveMessageSize = 16 << 20);
        ProbeServer? server = null;
        builder.Services.AddGrpcHealthChecks()
            .AddCheck("probe", () => server!.Healthy ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy());
        builder.Services.Configure<HealthCheckPublisherOptions>(options =>
        {
            options.Delay = TimeSpan.FromSeconds(1);
            options.Period = TimeSpan.FromSeconds(1);
        });
        builder.Services.AddSingleton(provider => server!.Counts);
        WebApplication app = builder.Build();
        server = new ProbeServer(app);
        app.MapGrpcService<ProbeService>();
        app.MapGrpcHealthChecksService();
        await app.StartAsync();
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        await _app.StopAsync(deadline.Token);
        await _app.DisposeAsync();
    }
}
