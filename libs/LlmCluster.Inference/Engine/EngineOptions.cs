namespace LlmCluster.Inference.Engine;

/// <summary>Limits of an engine.</summary>
public sealed record EngineOptions
{
    /// <summary>
    /// Most new tokens in one step, decode steps and prefill chunks together. Larger steps prefill faster, smaller
    /// ones keep the time per output token even. At least <see cref="MaxRunning"/> and one KV block more, so that
    /// prefill always gets on.
    /// </summary>
    public int MaxBatchTokens { get; init; } = 512;

    /// <summary>Most sequences in one step.</summary>
    public int MaxRunning { get; init; } = 64;

    /// <summary>Longest wait of a sequence for its place in the batch; it then ends with <see cref="GenerationError.DeadlineExceeded"/>.</summary>
    public TimeSpan QueueTimeout { get; init; } = TimeSpan.FromMinutes(5);
}
