using System.Text.Json.Serialization;
using LlmCluster.Cluster;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.KvCache.Tiers;
using LlmCluster.Inference.Scheduling.Prediction;
using LlmCluster.KvTransfer;
using LlmCluster.KvTransfer.Fetching;
using LlmCluster.KvTransfer.Receiving;
using LlmCluster.KvTransfer.Sending;

namespace LlmCluster.Worker.Hosting;

/// <summary>What <c>GET /internal/status</c> tells.</summary>
internal sealed record WorkerStatusReport
{
    /// <summary>The worker's name.</summary>
    public required string Id { get; init; }

    /// <summary><c>prefill</c>, <c>decode</c> or <c>mixed</c>.</summary>
    public required string Role { get; init; }

    /// <summary><c>starting</c>, <c>ready</c> or <c>draining</c>.</summary>
    public required string Status { get; init; }

    /// <summary>Name of the model.</summary>
    public required string Model { get; init; }

    /// <summary>Identity of weights and number formats.</summary>
    public required string ModelFingerprint { get; init; }

    /// <summary>Shape of the KV cache.</summary>
    public required string LayoutFingerprint { get; init; }

    /// <summary>Sequences in the running batch.</summary>
    public required int Running { get; init; }

    /// <summary>Sequences and reservations that wait for admission.</summary>
    public required int Waiting { get; init; }

    /// <summary>Prompt tokens of those.</summary>
    public required int WaitingTokens { get; init; }

    /// <summary>Tokens that running and waiting sequences are predicted to generate still.</summary>
    public required long PredictedTokens { get; init; }

    /// <summary>KV blocks that are predicted to be held at the worst moment to come.</summary>
    public required int PredictedBlocks { get; init; }

    /// <summary>How good predicted output lengths are; none where nothing is predicted.</summary>
    public required OutputLengthReport? OutputLengths { get; init; }

    /// <summary>Prompt tokens that are computed in a second of nothing else, measured lately; 0 until any were.</summary>
    public required double PrefillRate { get; init; }

    /// <summary>Seconds of a step in which sequences decode, measured lately; 0 until there was one.</summary>
    public required double StepTime { get; init; }

    /// <summary>K/V bytes in a second to and from other workers, measured lately; 0 until there were any.</summary>
    public required double TransferRate { get; init; }

    /// <summary>Accounts of the KV pool.</summary>
    public required KvBlockReport KvBlocks { get; init; }

    /// <summary>The tiers of the KV cache; null where there is none but the pool.</summary>
    public required KvTierStatus? KvTiers { get; init; }

    /// <summary>Transfers that come in.</summary>
    public required int IncomingTransfers { get; init; }

    /// <summary>Transfers that go out.</summary>
    public required int OutgoingTransfers { get; init; }

    /// <summary>Blocks that came from other workers instead of being computed, and that others got.</summary>
    public required KvFetchReport KvFetch { get; init; }

    /// <summary>Client requests that wait for a prefill worker.</summary>
    public required int WaitingForTransfer { get; init; }
}

/// <summary>Counts of KV blocks; <c>free + cached + referenced = total</c>.</summary>
internal sealed record KvBlockReport(int Total, int Free, int Cached, int Referenced);

/// <summary>What was fetched from other workers, and what of this one others fetched.</summary>
internal sealed record KvFetchReport(long Fetches, long Blocks, long Bytes, long Failures, long Skipped, long ServedBlocks, long ServedBytes);

/// <summary>
/// Outputs that ended, their median in tokens, and the shares of recent ones that were no longer than the quantile predicted on their arrival: null before the first.
/// </summary>
internal sealed record OutputLengthReport(
    long Observed,
    int Median,
    [property: JsonPropertyName("coverage_50")] double? Coverage50,
    [property: JsonPropertyName("coverage_90")] double? Coverage90,
    [property: JsonPropertyName("coverage_99")] double? Coverage99)
{
    public static OutputLengthReport? From(OutputLengthStatus? status) =>
        status is null ? null : new OutputLengthReport(status.Observed, status.Median, Round(status.Coverage50), Round(status.Coverage90), Round(status.Coverage99));

    private static double? Round(double? share) => share is { } value ? Math.Round(value, 4) : null;
}

/// <summary>What the worker is doing, for probes, operators and the cluster.</summary>
internal sealed class WorkerStatusSource(
    WorkerOptions options,
    string id,
    IInferenceEngine engine,
    KvReceiver receiver,
    KvSender sender,
    TransferRate transferRate,
    KvFetcher fetcher,
    KvFetchServer fetchServer)
{
    private long _reports;
    private volatile bool _joined;
    private volatile bool _draining;

    /// <summary>Whether new requests are taken.</summary>
    public bool IsReady => _joined && !_draining;

    /// <summary>Whether nothing is under way.</summary>
    public bool IsIdle
    {
        get
        {
            EngineStatus status = engine.Status;
            return status.Running + status.Waiting + receiver.LiveTransfers + receiver.WaitingRequests + sender.LiveTransfers == 0;
        }
    }

    /// <summary>The load that the cluster is told, with the next number of a report.</summary>
    public WorkerLoad NextLoad()
    {
        EngineStatus status = engine.Status;
        return new WorkerLoad
        {
            Running = status.Running,
            Waiting = status.Waiting,
            WaitingTokens = status.WaitingTokens,
            AvailableBlocks = status.Blocks.Available,
            ReferencedBlocks = status.Blocks.Referenced,
            PredictedTokens = status.PredictedTokens,
            PredictedBlocks = status.PredictedBlocks,
            MedianOutput = status.OutputLengths?.Median ?? 0,
            Report = Interlocked.Increment(ref _reports),
            PrefillRate = status.PrefillRate,
            PrefillAge = Math.Round(status.PrefillAge.TotalSeconds, 1),
            TransferRate = transferRate.BytesPerSecond,
            TransferAge = Math.Round(transferRate.Age.TotalSeconds, 1),
            StepTime = status.StepTime,
            StepAge = Math.Round(status.StepAge.TotalSeconds, 1),
        };
    }

    /// <summary>The cluster knows the worker.</summary>
    public void SetJoined() => _joined = true;

    /// <summary>The worker is ending.</summary>
    public void SetDraining() => _draining = true;

    public WorkerStatusReport Report()
    {
        EngineStatus status = engine.Status;
        BlockPoolCounts blocks = status.Blocks;
        KvFetchStatus fetched = fetcher.Status;
        return new WorkerStatusReport
        {
            Id = id,
            Role = options.Role.ToString().ToLowerInvariant(),
            Status = _draining ? "draining" : _joined ? "ready" : "starting",
            Model = options.ServedModelName,
            ModelFingerprint = engine.Runner.Fingerprint,
            LayoutFingerprint = engine.Runner.KvStore.Layout.Fingerprint,
            Running = status.Running,
            Waiting = status.Waiting,
            WaitingTokens = status.WaitingTokens,
            PredictedTokens = status.PredictedTokens,
            PredictedBlocks = status.PredictedBlocks,
            OutputLengths = OutputLengthReport.From(status.OutputLengths),
            PrefillRate = status.PrefillRate,
            StepTime = status.StepTime,
            TransferRate = transferRate.BytesPerSecond,
            KvBlocks = new KvBlockReport(blocks.Total, blocks.Free, blocks.Cached, blocks.Referenced),
            KvTiers = engine.Tiers,
            IncomingTransfers = receiver.LiveTransfers,
            OutgoingTransfers = sender.LiveTransfers,
            KvFetch = new KvFetchReport(
                fetched.Fetches, fetched.Blocks, fetched.Bytes, fetched.Failures, fetched.Skipped, fetchServer.ServedBlocks, fetchServer.ServedBytes),
            WaitingForTransfer = receiver.WaitingRequests,
        };
    }
}
