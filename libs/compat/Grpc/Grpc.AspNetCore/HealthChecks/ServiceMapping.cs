namespace Grpc.AspNetCore.HealthChecks;

/// <summary>A service name and the health checks that decide whether it serves.</summary>
public sealed class ServiceMapping
{
    public ServiceMapping(string name, Func<HealthCheckMapContext, bool> predicate)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(predicate);
        Name = name;
        HealthCheckPredicate = predicate;
    }

    public string Name { get; }

    internal Func<HealthCheckMapContext, bool> HealthCheckPredicate { get; }
}
