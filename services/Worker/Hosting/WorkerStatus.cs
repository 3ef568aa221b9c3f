using LlmCluster.Cluster;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.KvCache.Tiers;
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

    /// <summary>Accounts of the KV pool.</summary>
    public required KvBlockReport KvBlocks { get; init; }

    /// <summary>The tiers of the KV cache; null where there is none but the pool.</summary>
    public required KvTierStatus? KvTiers { get; init; }

    /// <summary>Transfers that come in.</summary>
    public required int IncomingTransfers { get; init; }

    /// <summary>Transfers that go out.</summary>
    public required int OutgoingTransfers { get; init; }

    /// <summary>Client requests that wait for a prefill worker.</summary>
    public required int WaitingForTransfer { get; init; }
}

/// <summary>Counts of KV blocks; <c>free + cached + referenced = total</c>.</summary>
internal sealed record KvBlockReport(int Total, int Free, int Cached, int Referenced);

/// <summary>What the worker is doing, for probes, operators and the cluster.</summary>
internal sealed class WorkerStatusSource(WorkerOptions options, string id, IInferenceEngine engine, KvReceiver receiver, KvSender sender)
{
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

    /// <summary>The load that the cluster is told.</summary>
    public WorkerLoad Load
    {
        get
        {
            EngineStatus status = engine.Status;
            return new WorkerLoad
            {
                Running = status.Running,
                Waiting = status.Waiting,
                WaitingTokens = status.WaitingTokens,
                AvailableBlocks = status.Blocks.Available,
                ReferencedBlocks = status.Blocks.Referenced,
            };
        }
    }

    /// <summary>The cluster knows the worker.</summary>
    public void SetJoined() => _joined = true;

    /// <summary>The worker is ending.</summary>
    public void SetDraining() => _draining = true;

    public WorkerStatusReport Report()
    {
        EngineStatus status = engine.Status;
        BlockPoolCounts blocks = status.Blocks;
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
            KvBlocks = new KvBlockReport(blocks.Total, blocks.Free, blocks.Cached, blocks.Referenced),
            KvTiers = engine.Tiers,
            IncomingTransfers = receiver.LiveTransfers,
            OutgoingTransfers = sender.LiveTransfers,
            WaitingForTransfer = receiver.WaitingRequests,
        };
    }
}
