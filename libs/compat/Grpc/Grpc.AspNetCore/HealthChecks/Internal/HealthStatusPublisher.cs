using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace Grpc.AspNetCore.HealthChecks.Internal;

/// <summary>Takes the results of the app's periodic health checks to those who watch.</summary>
internal sealed class HealthStatusPublisher(
    HealthStatusBoard board, IOptions<GrpcHealthChecksOptions> options, IOptions<HealthCheckServiceOptions> checks)
    : IHealthCheckPublisher
{
    public Task PublishAsync(HealthReport report, CancellationToken cancellationToken)
    {
        Dictionary<string, IEnumerable<string>> tags = checks.Value.Registrations.ToDictionary(
            registration => registration.Name, registration => (IEnumerable<string>)registration.Tags);
        board.Publish(options.Value.Services.ToDictionary(
            mapping => mapping.Name,
            mapping => HealthService.Summarize(report.Entries
                .Where(entry => mapping.HealthCheckPredicate(
                    new HealthCheckMapContext(entry.Key, tags.GetValueOrDefault(entry.Key) ?? [])))
                .Select(entry => entry.Value.Status))));
        return Task.CompletedTask;
    }
}
