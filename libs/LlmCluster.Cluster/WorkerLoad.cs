namespace LlmCluster.Cluster;

/// <summary>A worker's load, as it last reported it.</summary>
public sealed record WorkerLoad
{
    /// <summary>Sequences in the running batch.</summary>
    public int Running { get; init; }

    /// <summary>Sequences that wait for admission.</summary>
    public int Waiting { get; init; }

    /// <summary>Prompt tokens to compute: those of waiting sequences that its pool does not hold, and those of running ones that are not computed yet.</summary>
    public int WaitingTokens { get; init; }

    /// <summary>Blocks that can be had at once, cached ones included.</summary>
    public int AvailableBlocks { get; init; }

    /// <summary>Blocks that sequences or transfers hold.</summary>
    public int ReferencedBlocks { get; init; }

    /// <summary>Tokens that running and waiting sequences are predicted to generate still.</summary>
    public long PredictedTokens { get; init; }

    /// <summary>Blocks that are predicted to be held at the worst moment to come; may be more than there are.</summary>
    public int PredictedBlocks { get; init; }

    /// <summary>Median in tokens of the outputs that the worker generates.</summary>
    public int MedianOutput { get; init; }

    /// <summary>Counts the worker's reports from 1; 0 from a worker that predicts nothing.</summary>
    public long Report { get; init; }

    /// <summary>Prompt tokens that it computes in a second when it computes nothing else, measured lately; 0 until it has computed any.</summary>
    public double PrefillRate { get; init; }

    /// <summary>Seconds since <see cref="PrefillRate"/> was measured last.</summary>
    public double PrefillAge { get; init; }

    /// <summary>Bytes of K/V in a second that it receives from or sends to others, measured lately; 0 until there were any.</summary>
    public double TransferRate { get; init; }

    /// <summary>Seconds since <see cref="TransferRate"/> was measured last.</summary>
    public double TransferAge { get; init; }

    /// <summary>Seconds of a step in which sequences decode, measured lately: what a stream waits for a token; 0 until there was one.</summary>
    public double StepTime { get; init; }

    /// <summary>Seconds since <see cref="StepTime"/> was measured last.</summary>
    public double StepAge { get; init; }
}
