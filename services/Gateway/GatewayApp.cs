using LlmCluster.Cluster;
using LlmCluster.Gateway.Hosting;
using LlmCluster.Gateway.Models;
using LlmCluster.Inference.Models;

namespace LlmCluster.Gateway;

/// <summary>A running gateway: the HTTP front of a cluster. Disposing it ends it.</summary>
public sealed class GatewayApp : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly TimeSpan _shutdownTimeout;

    private GatewayApp(WebApplication app, TimeSpan shutdownTimeout)
    {
        _app = app;
        _shutdownTimeout = shutdownTimeout;
    }

    /// <summary>Where it listens, with the port that it really has.</summary>
    public Uri Url => new(_app.Urls.First());

    /// <summary>Starts a gateway. It answers at once, and is ready once workers have joined.</summary>
    /// <param name="options">How it runs.</param>
    /// <param name="state">Where it finds workers; stays the caller's to dispose of.</param>
    /// <param name="logging">Where it logs; by default to the console.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <exception cref="GatewayOptionsException">An option is wrong; the message names its key.</exception>
    /// <exception cref="CheckpointException">The model's files are missing or wrong.</exception>
    public static async Task<GatewayApp> StartAsync(
        GatewayOptions options, IClusterState state, Action<ILoggingBuilder>? logging = null, CancellationToken cancellationToken = default)
    {
        options.Validate();
        ServedModel model = ServedModelLoader.Load(options);

        // An empty builder: no configuration from the working folder or the environment that nobody asked for.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "llmcluster-gateway" });
        builder.Logging.SetMinimumLevel(LogLevel.Information)
            .AddFilter("Microsoft.AspNetCore", LogLevel.Warning)

            // Its scope has a request id of its own beside ours.
            .AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None)

            // Whatever ends a forwarded request is logged where it is answered.
            .AddFilter("Yarp", LogLevel.Error);
        (logging ?? (l => l.AddSimpleConsole(c => (c.IncludeScopes, c.SingleLine, c.TimestampFormat) = (true, true, "HH:mm:ss.fff "))))(builder.Logging);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;

            // Bodies are measured where they are read, so that a client gets its answer rather than a broken connection.
            kestrel.Limits.MaxRequestBodySize = null;
        });
        builder.WebHost.UseUrls(options.Url);
        builder.Services.AddRoutingCore();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.ShutdownTimeout);
        builder.Services.AddGateway(options, state, model);

        WebApplication app = builder.Build();
        try
        {
            app.UseGateway();
            await app.StartAsync(cancellationToken).ConfigureAwait(false);
            return new GatewayApp(app, options.ShutdownTimeout);
        }
        catch
        {
            await app.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Ends the gateway: running requests have <see cref="GatewayOptions.ShutdownTimeout"/> to end.</summary>
    public async ValueTask DisposeAsync()
    {
        using var deadline = new CancellationTokenSource(_shutdownTimeout);
        await _app.StopAsync(deadline.Token).ConfigureAwait(false);
        await _app.DisposeAsync().ConfigureAwait(false);
    }
}
