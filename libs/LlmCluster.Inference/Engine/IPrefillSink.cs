namespace LlmCluster.Inference.Engine;

/// <summary>
/// Where a prefill worker's engine reports a prompt that is computed for another worker. Members are called on the
/// engine's thread in this order: <see cref="OnStarted"/>, <see cref="OnBlocksWritten"/> any number of times, then
/// <see cref="OnCompleted"/> or <see cref="OnFailed"/>. They must return at once.
/// </summary>
public interface IPrefillSink
{
    /// <summary>
    /// The prompt was admitted. <paramref name="blocks"/> are its pool blocks in order; the first
    /// <paramref name="cachedBlocks"/> came from the prefix cache and are complete in every layer. The sink owns the
    /// lease from now on and disposes it once it has read all that it needs.
    /// </summary>
    void OnStarted(KvCache.BlockLease blocks, int cachedBlocks);

    /// <summary>
    /// K/V of <paramref name="count"/> blocks from index <paramref name="firstBlock"/> of the sequence is final in
    /// <paramref name="layer"/>. Chunks end on block boundaries except for the prompt's last one, so each
    /// (layer, block) is reported once.
    /// </summary>
    void OnBlocksWritten(int layer, int firstBlock, int count);

    /// <summary>All is computed and the first token is chosen.</summary>
    void OnCompleted(GeneratedToken firstToken);

    /// <summary>The prompt was cancelled or failed. The lease, if given, is still the sink's to dispose.</summary>
    void OnFailed(Exception error);
}
