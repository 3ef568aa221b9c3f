namespace LlmCluster.Cluster;

/// <summary>What a worker does.</summary>
public enum WorkerRole
{
    /// <summary>Computes prompts and hands their K/V on.</summary>
    Prefill,

    /// <summary>Takes K/V over and generates.</summary>
    Decode,

    /// <summary>Both, and whole requests by itself.</summary>
    Mixed,
}

/// <summary>Whether a worker takes new requests.</summary>
public enum WorkerStatus
{
    /// <summary>Takes requests.</summary>
    Ready,

    /// <summary>Finishes what it has and takes nothing new.</summary>
    Draining,
}

/// <summary>What a worker says of itself when it joins.</summary>
public sealed record WorkerInfo
{
    /// <summary>Unique name of this run of the worker.</summary>
    public required string Id { get; init; }

    /// <summary>What it does.</summary>
    public required WorkerRole Role { get; init; }

    /// <summary>Name of the model, as clients ask for it.</summary>
    public required string Model { get; init; }

    /// <summary>Identity of weights and number formats.</summary>
    public required string ModelFingerprint { get; init; }

    /// <summary>Shape of its KV cache.</summary>
    public required string LayoutFingerprint { get; init; }

    /// <summary>Where it serves HTTP/1.1, for example <c>http://127.0.0.1:9000</c>.</summary>
    public required Uri HttpEndpoint { get; init; }

    /// <summary>Where it serves gRPC (HTTP/2).</summary>
    public required Uri GrpcEndpoint { get; init; }

    /// <summary>Blocks of its KV pool.</summary>
    public required int TotalBlocks { get; init; }

    /// <summary>Tokens in a block.</summary>
    public required int BlockSize { get; init; }

    /// <summary>Longest sequence in tokens.</summary>
    public required int ContextLength { get; init; }
}

/// <summary>A worker's load, as it last reported it.</summary>
public sealed record WorkerLoad
{
    /// <summary>Sequences in the running batch.</summary>
    public int Running { get; init; }

    /// <summary>Sequences that wait for admission.</summary>
    public int Waiting { get; init; }

    /// <summary>Prompt tokens of those.</summary>
    public int WaitingTokens { get; init; }

    /// <summary>Blocks that can be had at once, cached ones included.</summary>
    public int AvailableBlocks { get; init; }

    /// <summary>Blocks that sequences or transfers hold.</summary>
    public int ReferencedBlocks { get; init; }
}

/// <summary>A live worker as a gateway sees it.</summary>
/// <param name="Info">What it said when it joined.</param>
/// <param name="Status">Whether it takes requests.</param>
/// <param name="Load">Its load.</param>
public sealed record WorkerSnapshot(WorkerInfo Info, WorkerStatus Status, WorkerLoad Load);

/// <summary>
/// What workers and gateways share: membership with leases, and load. In memory when everything runs in one process,
/// Redis otherwise; both pass one contract suite.
/// </summary>
public interface IClusterState : IAsyncDisposable
{
    /// <summary>Joins the cluster, or renews the lease and reports status and load: a heartbeat.</summary>
    /// <param name="worker">The worker with its current status and load.</param>
    /// <param name="lease">The worker vanishes this long after its last heartbeat.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask HeartbeatAsync(WorkerSnapshot worker, TimeSpan lease, CancellationToken cancellationToken = default);

    /// <summary>Leaves the cluster at once. Leaving twice, or without having joined, is no error.</summary>
    ValueTask LeaveAsync(string workerId, CancellationToken cancellationToken = default);

    /// <summary>All workers whose lease runs, ordered by id.</summary>
    ValueTask<IReadOnlyList<WorkerSnapshot>> GetWorkersAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Yields after every change of membership or status (not of load), and may yield without one. A hint that
    /// <see cref="GetWorkersAsync"/> is worth calling now; messages may be lost.
    /// </summary>
    IAsyncEnumerable<long> WatchAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Adds one to a counter that all gateways share and returns its new value, from 1; for round-robin placement.
    /// </summary>
    ValueTask<long> NextAsync(string counter, CancellationToken cancellationToken = default);
}
