using System.Diagnostics.Metrics;
using LlmCluster.Inference.Telemetry;

namespace LlmCluster.KvTransfer.Fetching;

/// <summary>Instruments of fetching, of all workers in a process together.</summary>
internal static class FetchMetrics
{
    public const string ErrorTag = "error.type";

    private static readonly Meter Meter = new(InferenceMetrics.MeterName);

    public static Counter<long> Blocks { get; } =
        Meter.CreateCounter<long>("llmcluster.kv_cache.fetch.blocks", "{block}", "Blocks that came from other workers instead of being computed.");

    public static Counter<long> Bytes { get; } = Meter.CreateCounter<long>("llmcluster.kv_cache.fetch.bytes", "By", "Bytes that came from other workers instead of being computed.");

    public static Counter<long> Failures { get; } =
        Meter.CreateCounter<long>("llmcluster.kv_cache.fetch.failures", "{fetch}", "Fetches that failed or took too long.");
}
