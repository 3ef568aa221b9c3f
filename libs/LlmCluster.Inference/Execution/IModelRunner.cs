using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;

namespace LlmCluster.Inference.Execution;

/// <summary>
/// Runs a model over ragged batches. Prefill chunks and decode steps are the same call. One thread at a time
/// calls <see cref="Forward"/>; the block store may be used from others meanwhile.
/// </summary>
/// <remarks>
/// Batch invariance is part of the contract: a row's logits and the K/V written for a token depend on that
/// sequence's tokens alone, to the bit, whatever else is in the batch and however the prompt was cut into chunks.
/// </remarks>
public interface IModelRunner : IDisposable
{
    /// <summary>The model that runs.</summary>
    ModelConfig Config { get; }

    /// <summary>The KV pool that <see cref="Forward"/> reads and writes.</summary>
    IKvBlockStore KvStore { get; }

    /// <summary>
    /// Identity of everything that decides the bits of K/V and logits: weights, number formats, instruction set.
    /// Part of every block hash.
    /// </summary>
    string Fingerprint { get; }

    /// <summary>
    /// Runs the batch: writes K/V of its tokens to the pool and the logits of the rows that asked, in batch order,
    /// to <paramref name="logits"/> (<c>batch.LogitRows × VocabSize</c>).
    /// </summary>
    /// <param name="batch">What to run.</param>
    /// <param name="logits">Receives the logits.</param>
    /// <param name="observer">Told when each layer's K/V is in the pool; none: nobody asks.</param>
    /// <exception cref="ArgumentException">The batch does not fit the model, or <paramref name="logits"/> is too short.</exception>
    void Forward(ForwardBatch batch, Span<float> logits, IForwardObserver? observer = null);
}

/// <summary>Told of progress within a forward pass. Called on the computing thread: must return at once.</summary>
public interface IForwardObserver
{
    /// <summary>K/V of every token in the batch is in the pool for <paramref name="layer"/> and will not change.</summary>
    void OnLayerWritten(int layer);
}
