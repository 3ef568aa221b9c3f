using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Grpc.Core;
using LlmCluster.Api.Generate;
using LlmCluster.Cluster;
using LlmCluster.Protocol.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace LlmCluster.Tests.Integration.Gateway;

/// <summary>A worker whose both ends do what a test says: real servers with scripted behaviour.</summary>
internal sealed class ScriptedWorker : IAsyncDisposable
{
    private readonly WebApplication _app;
    private int _open;

    private ScriptedWorker(WebApplication app, string id, WorkerRole role)
    {
        _app = app;
        string[] addresses = [.. app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses];
        Snapshot = new WorkerSnapshot(
            new WorkerInfo
            {
                Id = id,
                Role = role,
                Model = GatewayHost.ModelName,
                ModelFingerprint = "0123456789abcdef",
                LayoutFingerprint = "kv:test",
                HttpEndpoint = new Uri(addresses[0]),
                GrpcEndpoint = new Uri(addresses[1]),
                TotalBlocks = 64,
                BlockSize = 16,
                ContextLength = GatewayHost.ContextLength,
            },
            WorkerStatus.Ready,
            new WorkerLoad());
    }

    public WorkerSnapshot Snapshot { get; }

    /// <summary>What prefill calls do; by default they succeed at once.</summary>
    public Func<PrefillRequest, ServerCallContext, Task> OnPrefill { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>What leg 2 does; by default it answers with a JSON object at once.</summary>
    public Func<HttpContext, GenerateRequest, Task> OnGenerate { get; set; } = (context, _) => context.Response.WriteAsJsonAsync(new { ok = true });

    /// <summary>Prefill calls with their request ids.</summary>
    public ConcurrentQueue<(PrefillRequest Request, string? RequestId)> Prefills { get; } = new();

    /// <summary>Leg 2 requests with their headers.</summary>
    public ConcurrentQueue<(GenerateRequest Request, IReadOnlyDictionary<string, string> Headers, JsonElement Body)> Generates { get; } = new();

    /// <summary>Calls of either leg that have not ended.</summary>
    public int Open => Volatile.Read(ref _open);

    public static async Task<ScriptedWorker> StartAsync(string id, WorkerRole role)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
        });
        builder.Services.AddRoutingCore();
        builder.Services.AddGrpc();
        var holder = new Holder();
        builder.Services.AddSingleton(holder);
        builder.Services.AddSingleton<PrefillService>();
        WebApplication app = builder.Build();
        app.UseRouting();
        app.MapGrpcService<PrefillService>();
        app.MapPost(GenerateRequest.Path, context => holder.Worker!.GenerateAsync(context));
        app.MapGet("/internal/status", () => Results.Json(new { blocks = new { referenced = 0 } }));
        await app.StartAsync();
        return holder.Worker = new ScriptedWorker(app, id, role);
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private async Task GenerateAsync(HttpContext context)
    {
        Interlocked.Increment(ref _open);
        try
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            body.Position = 0;
            GenerateRequest request = await GenerateJson.ReadAsync(body, context.RequestAborted);
            var headers = context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase);
            Generates.Enqueue((request, headers, JsonElement.Parse(body.ToArray())));
            await OnGenerate(context, request);
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
    }

    private async Task<PrefillResponse> PrefillAsync(PrefillRequest request, ServerCallContext context)
    {
        Interlocked.Increment(ref _open);
        try
        {
            Prefills.Enqueue((request, context.RequestHeaders.GetValue("x-request-id")));
            await OnPrefill(request, context);
            return new PrefillResponse();
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
    }

    private sealed class Holder
    {
        public ScriptedWorker? Worker { get; set; }
    }

    private sealed class PrefillService(Holder holder) : Prefill.PrefillBase
    {
        public override Task<PrefillResponse> Prefill(PrefillRequest request, ServerCallContext context) => holder.Worker!.PrefillAsync(request, context);
    }
}
