namespace LlmCluster.Inference.Engine;

/// <summary>In which order waiting sequences get their place in the batch.</summary>
public enum QueueOrder
{
    /// <summary>That of arrival.</summary>
    Arrival,

    /// <summary>Least work first: tokens of the prompt that are not in the prefix cache, and of the output as predicted; waiting makes up for it.</summary>
    Shortest,

    /// <summary>By the request's priority; waiting makes up for it.</summary>
    Priority,
}

/// <summary>Limits of an engine.</summary>
public sealed record EngineOptions
{
    /// <summary>
    /// Most new tokens in one step, decode steps and prefill chunks together. Larger steps prefill faster, smaller
    /// ones keep the time per output token even. At least <see cref="MaxRunning"/> and one KV block more, so that
    /// prefill always gets on.
    /// </summary>
    public int MaxBatchTokens { get; init; } = 512;

    /// <summary>
    /// How long a step in which sequences decode should take at most: prompts are computed in chunks as short as that takes. Where decoding alone leaves little of
    /// it, half as long as decoding takes; and a few tokens at least. Zero: no limit but <see cref="MaxBatchTokens"/>.
    /// </summary>
    public TimeSpan MaxStepTime { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>In which order sequences get their place.</summary>
    public QueueOrder Queue { get; init; }

    /// <summary>
    /// How soon waiting makes up for what is behind in the queue: so long counts as one priority less, or as 4,096 prompt tokens less.
    /// </summary>
    public TimeSpan QueueAgeing { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// A newcomer leaves as many KV blocks as running sequences, and itself, are predicted to need at this quantile of their outputs' lengths, so that few have to give
    /// theirs up later: over 0 and below 1. A higher one preempts less and runs less at the same time. 0: a newcomer leaves one block to each.
    /// </summary>
    public double AdmissionQuantile { get; init; } = 0.5;

    /// <summary>Most sequences in one step.</summary>
    public int MaxRunning { get; init; } = 64;

    /// <summary>Longest wait of a sequence for its place in the batch; it then ends with <see cref="GenerationError.DeadlineExceeded"/>.</summary>
    public TimeSpan QueueTimeout { get; init; } = TimeSpan.FromMinutes(5);
}
