namespace Grpc.AspNetCore.HealthChecks;

/// <summary>Which health checks stand for which service of the health protocol.</summary>
public sealed class GrpcHealthChecksOptions
{
    /// <summary>By default the server as a whole (the empty name) and every check.</summary>
    public ServiceMappingCollection Services { get; } = [];
}
