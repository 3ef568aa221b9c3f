namespace LlmCluster.Cluster;

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
