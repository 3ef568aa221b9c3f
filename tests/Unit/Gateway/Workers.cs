using LlmCluster.Cluster;

namespace LlmCluster.Tests.Unit.Gateway;

/// <summary>Workers as a registry lists them.</summary>
internal static class Workers
{
    public static WorkerSnapshot Create(
        string id, WorkerRole role, WorkerStatus status = WorkerStatus.Ready, string model = "m", string fingerprint = "f", string layout = "l") => new(
        new WorkerInfo
        {
            Id = id,
            Role = role,
            Model = model,
            ModelFingerprint = fingerprint,
            LayoutFingerprint = layout,
            HttpEndpoint = new Uri($"http://{id}:1"),
            GrpcEndpoint = new Uri($"http://{id}:2"),
            TotalBlocks = 100,
            BlockSize = 16,
            ContextLength = 256,
        },
        status,
        new WorkerLoad());
}
