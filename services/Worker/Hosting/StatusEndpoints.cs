using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace LlmCluster.Worker.Hosting;

/// <summary><c>/health</c>: the process lives. <c>/ready</c>: it takes requests. <c>/internal/status</c>: what it is doing.</summary>
internal static class StatusEndpoints
{
    // As all other JSON that this project speaks.
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static void MapStatus(this IEndpointRouteBuilder routes)
    {
        var status = routes.ServiceProvider.GetRequiredService<WorkerStatusSource>();
        routes.MapGet("/health", static context => context.Response.WriteAsJsonAsync(new { status = "ok" }, context.RequestAborted));
        routes.MapGet("/ready", context =>
        {
            context.Response.StatusCode = status.IsReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
            return context.Response.WriteAsJsonAsync(new { status = status.Report().Status }, context.RequestAborted);
        });
        routes.MapGet("/internal/status", context => context.Response.WriteAsJsonAsync(status.Report(), Json, context.RequestAborted));
    }
}

/// <summary>The gRPC health service's view of the same.</summary>
internal sealed class ReadyHealthCheck(WorkerStatusSource status) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(status.IsReady ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy($"The worker is {status.Report().Status}."));
}
