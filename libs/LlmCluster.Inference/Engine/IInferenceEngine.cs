using LlmCluster.Inference.Execution;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.KvCache.Tiers;
using LlmCluster.Inference.Scheduling.Prediction;

namespace LlmCluster.Inference.Engine;

/// <summary>What an engine is doing at one moment.</summary>
/// <param name="Running">Sequences in the running batch.</param>
/// <param name="Waiting">Sequences that wait for admission, and reservations that wait for blocks.</param>
/// <param name="WaitingTokens">
/// Tokens to prefill: those of the waiting sequences, and those of running ones that are not computed yet.
/// </param>
/// <param name="Blocks">The KV pool.</param>
public readonly record struct EngineStatus(int Running, int Waiting, int WaitingTokens, BlockPoolCounts Blocks)
{
    /// <summary>Tokens that sequences here are predicted to generate still: medians, those that wait included.</summary>
    public long PredictedTokens { get; init; }

    /// <summary>Blocks that are predicted to be held at the worst moment to come, if all that wait began now; may be more than there are.</summary>
    public int PredictedBlocks { get; init; }

    /// <summary>How good predictions are; null where nothing is predicted.</summary>
    public OutputLengthStatus? OutputLengths { get; init; }

    /// <summary>Prompt tokens that are computed in a second of nothing else, measured lately; 0 until any were.</summary>
    public double PrefillRate { get; init; }

    /// <summary>Time since <see cref="PrefillRate"/> was measured last.</summary>
    public TimeSpan PrefillAge { get; init; }

    /// <summary>Seconds of a step in which sequences decode, measured lately; 0 until there was one.</summary>
    public double StepTime { get; init; }

    /// <summary>Time since <see cref="StepTime"/> was measured last.</summary>
    public TimeSpan StepAge { get; init; }
}

/// <summary>
/// Runs many sequences on one model: continuous batching with chunked prefill, prefix reuse and sampling. Members may
/// be called from any thread.
/// </summary>
public interface IInferenceEngine : IAsyncDisposable
{
    /// <summary>The model and its KV store.</summary>
    IModelRunner Runner { get; }

    /// <summary>The accounts of the KV pool.</summary>
    BlockPool Pool { get; }

    /// <summary>Load at this moment.</summary>
    EngineStatus Status { get; }

    /// <summary>The tiers of the KV cache at this moment; null where there is none but the pool.</summary>
    KvTierStatus? Tiers => null;

    /// <summary>Generates a sequence here, prompt and answer.</summary>
    /// <exception cref="GenerationException">The request can never be served: it is longer than the context or the pool.</exception>
    IGeneration Submit(GenerationRequest request);

    /// <summary>Generates a sequence here, whose leading blocks are in the pool and stay there until it is admitted, unless others can't get on without their room.</summary>
    /// <param name="request">The sequence.</param>
    /// <param name="prefix">References on those blocks; taken over. Null for none.</param>
    /// <exception cref="GenerationException">The request can never be served.</exception>
    IGeneration Submit(GenerationRequest request, BlockLease? prefix)
    {
        using (prefix)
        {
            return Submit(request);
        }
    }

    /// <summary>Computes a prompt and its first token for another worker.</summary>
    /// <param name="request">The sequence; only its first token is generated.</param>
    /// <param name="sink">Told of every block that is ready; never on the caller's thread.</param>
    /// <param name="cancellationToken">Ends the work; the sink is told.</param>
    /// <exception cref="GenerationException">The request can never be served.</exception>
    void SubmitPrefill(GenerationRequest request, IPrefillSink sink, CancellationToken cancellationToken);

    /// <summary>Computes a prompt for another worker, whose leading blocks are in the pool and stay there until it is admitted, unless others can't get on without their room.</summary>
    /// <param name="request">The sequence; only its first token is generated.</param>
    /// <param name="prefix">References on those blocks; taken over. Null for none.</param>
    /// <param name="sink">Told of every block that is ready; never on the caller's thread.</param>
    /// <param name="cancellationToken">Ends the work; the sink is told.</param>
    /// <exception cref="GenerationException">The request can never be served.</exception>
    void SubmitPrefill(GenerationRequest request, BlockLease? prefix, IPrefillSink sink, CancellationToken cancellationToken)
    {
        using (prefix)
        {
            SubmitPrefill(request, sink, cancellationToken);
        }
    }

    /// <summary>Takes blocks if they can be had at once, beside all that run and wait; content that a lower tier has of them is brought up.</summary>
    /// <param name="prefix">Hashes of the first blocks.</param>
    /// <param name="blockCount">Blocks wanted in all.</param>
    /// <param name="cancellationToken">Ends the wait for lower tiers.</param>
    /// <returns>The blocks, and how many of them from the first hold their content already; null when there is no room.</returns>
    ValueTask<(BlockLease Blocks, int CachedBlocks)?> TryReserveAsync(BlockHash[] prefix, int blockCount, CancellationToken cancellationToken) =>
        ValueTask.FromResult<(BlockLease, int)?>(Pool.TryReserve(prefix, blockCount, out int cachedBlocks) is { } blocks ? (blocks, cachedBlocks) : null);

    /// <summary>
    /// Takes blocks for a prompt that another worker computes, waiting in order of arrival until there are enough.
    /// </summary>
    /// <param name="prefix">Hashes of the prompt's full blocks.</param>
    /// <param name="blockCount">Blocks of the prompt.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The blocks, and how many of them from the first hold their content already.</returns>
    /// <exception cref="GenerationException">The pool is smaller than the request.</exception>
    ValueTask<(BlockLease Blocks, int CachedBlocks)> ReserveAsync(BlockHash[] prefix, int blockCount, CancellationToken cancellationToken);

    /// <summary>Continues a sequence whose prompt's K/V is complete in <paramref name="blocks"/>. Takes the lease over.</summary>
    /// <param name="request">The sequence.</param>
    /// <param name="blocks">Blocks of the prompt, every layer written.</param>
    /// <param name="firstToken">The token that the prefill worker chose; it is reported first.</param>
    /// <param name="cachedTokens">Prompt tokens that the prefill worker had in its cache.</param>
    IGeneration Adopt(GenerationRequest request, BlockLease blocks, GeneratedToken firstToken, int cachedTokens);

    /// <summary>Ends the engine as disposing it does.</summary>
    /// <param name="flushLimit">Longest time for writing cached blocks to the disk, where there is such a tier.</param>
    ValueTask StopAsync(TimeSpan flushLimit) => DisposeAsync();
}
