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

    /// <summary>Bytes of a block in all layers; 0 from a worker that doesn't say.</summary>
    public long BlockBytes { get; init; }

    /// <summary>Longest sequence in tokens.</summary>
    public required int ContextLength { get; init; }
}
