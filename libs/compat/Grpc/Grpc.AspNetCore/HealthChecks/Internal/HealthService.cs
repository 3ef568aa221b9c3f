using Grpc.Core;
using Grpc.Health.V1;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using ServingStatus = Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus;

namespace Grpc.AspNetCore.HealthChecks.Internal;

/// <summary>
/// The standard health service over the app's health checks. Check runs them; Watch runs them once and then follows
/// their periodic publication.
/// </summary>
internal sealed class HealthService(
    HealthCheckService checks,
    HealthStatusBoard board,
    IOptions<GrpcHealthChecksOptions> options,
    IHostApplicationLifetime lifetime) : Grpc.Health.V1.Health.HealthBase
{
    /// <summary>One unhealthy check makes a service not serve; a service without checks is of unknown status.</summary>
    public static ServingStatus Summarize(IEnumerable<HealthStatus> statuses)
    {
        var summary = ServingStatus.Unknown;
        foreach (HealthStatus status in statuses)
        {
            if (status == HealthStatus.Unhealthy)
            {
                return ServingStatus.NotServing;
            }

            summary = ServingStatus.Serving;
        }

        return summary;
    }

    public override async Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context)
    {
        ServingStatus status = await RunChecksAsync(request.Service, context.CancellationToken).ConfigureAwait(false)
            ?? throw new RpcException(new Status(StatusCode.NotFound, $"No service '{request.Service}' has health checks here."));
        return new HealthCheckResponse { Status = status };
    }

    public override async Task Watch(
        HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        Task changed = board.Changed;
        ServingStatus status = await RunChecksAsync(request.Service, context.CancellationToken).ConfigureAwait(false)
            ?? ServingStatus.ServiceUnknown;
        await responseStream.WriteAsync(new HealthCheckResponse { Status = status }).ConfigureAwait(false);
        while (true)
        {
            await changed.WaitAsync(ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            context.CancellationToken.ThrowIfCancellationRequested();
            bool stopping = lifetime.ApplicationStopping.IsCancellationRequested;
            changed = board.Changed;
            ServingStatus now = stopping ? ServingStatus.NotServing : board.Find(request.Service) ?? ServingStatus.ServiceUnknown;
            if (now != status)
            {
                status = now;
                await responseStream.WriteAsync(new HealthCheckResponse { Status = now }).ConfigureAwait(false);
            }

            if (stopping)
            {
                return;
            }
        }
    }

    private async Task<ServingStatus?> RunChecksAsync(string service, CancellationToken cancellationToken)
    {
        if (options.Value.Services.Find(service) is not { } mapping)
        {
            return null;
        }

        HealthReport report = await checks.CheckHealthAsync(
            registration => mapping.HealthCheckPredicate(new HealthCheckMapContext(registration.Name, registration.Tags)),
            cancellationToken).ConfigureAwait(false);
        return Summarize(report.Entries.Values.Select(entry => entry.Status));
    }
}
