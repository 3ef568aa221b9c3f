using LlmCluster.Cluster;

namespace LlmCluster.Tests.Integration.Cluster;

internal static class SampleWorkers
{
    public static WorkerSnapshot Snapshot(
        string id,
        WorkerRole role = WorkerRole.Decode,
        WorkerStatus status = WorkerStatus.Ready,
        int running = 0) => new(
            new WorkerInfo
            {
                Id = id,
                Role = role,
                Model = "tiny",
                ModelFingerprint = "m-123",
                LayoutFingerprint = "l-456",
                HttpEndpoint = new Uri("http://127.0.0.1:9000"),
                GrpcEndpoint = new Uri("http://127.0.0.1:9001"),
                TotalBlocks = 512,
                BlockSize = 16,
                ContextLength = 4096,
            },
            status,
            new WorkerLoad
            {
                Running = running,
                Waiting = 2,
                WaitingTokens = 300,
                AvailableBlocks = 400,
                ReferencedBlocks = 112,
                PredictedTokens = 5_000_000_000,
                PredictedBlocks = 260,
                MedianOutput = 350,
                Report = 41,
            });

    public static IEnumerable<string> Ids(this IEnumerable<WorkerSnapshot> workers) => workers.Select(worker => worker.Info.Id);
}
