using LlmCluster.Inference.Engine;

namespace LlmCluster.KvTransfer.Receiving;

/// <summary>A sequence that came from another worker, as the client's request sees it. Disposing it drops the sequence for good.</summary>
internal sealed class ReceivedGeneration(IGeneration inner, RendezvousTable table, SequenceKey key) : IGeneration
{
    /// <inheritdoc/>
    public GenerationRequest Request => inner.Request;

    /// <inheritdoc/>
    public int CachedTokens => inner.CachedTokens;

    /// <inheritdoc/>
    public IAsyncEnumerable<GeneratedToken> ReadAllAsync(CancellationToken cancellationToken = default) => inner.ReadAllAsync(cancellationToken);

    /// <inheritdoc/>
    public void Complete() => inner.Complete();

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        table.Drop(key, "the client's request has ended.");
        return inner.DisposeAsync();
    }
}
