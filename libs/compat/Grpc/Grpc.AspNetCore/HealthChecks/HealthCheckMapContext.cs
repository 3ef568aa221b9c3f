namespace Grpc.AspNetCore.HealthChecks;

/// <summary>A health check that may stand for a service.</summary>
public sealed class HealthCheckMapContext
{
    public HealthCheckMapContext(string name, IEnumerable<string> tags) => (Name, Tags) = (name, tags);

    public string Name { get; }

    public IEnumerable<string> Tags { get; }
}
