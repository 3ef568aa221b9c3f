using LlmCluster.Inference.Execution;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;

namespace LlmCluster.Testing.KvTransfer;

/// <summary>A pool with a model's identity but without the model: its bytes come from <see cref="KvContent"/>.</summary>
public sealed class ContentRunner(KvLayout layout, int blockCount, string fingerprint = KvContent.Fingerprint) : IModelRunner
{
    /// <inheritdoc/>
    public ModelConfig Config => KvContent.Model;

    /// <inheritdoc/>
    public IKvBlockStore KvStore { get; } = new ArrayKvStore(layout, blockCount);

    /// <inheritdoc/>
    public string Fingerprint { get; } = fingerprint;

    /// <inheritdoc/>
    public void Forward(ForwardBatch batch, Span<float> logits, IForwardObserver? observer = null) =>
        throw new InvalidOperationException("There is no model here to run.");

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    private sealed class ArrayKvStore(KvLayout layout, int blockCount) : IKvBlockStore
    {
        private readonly byte[] _bytes = new byte[checked((int)(layout.BlockBytes * blockCount))];

        public KvLayout Layout => layout;

        public int BlockCount => blockCount;

        public void Read(int layer, int block, int offset, Span<byte> destination) =>
            Place(layer, block).Slice(offset, destination.Length).CopyTo(destination);

        public void Write(int layer, int block, int offset, ReadOnlySpan<byte> source) =>
            source.CopyTo(Place(layer, block).Slice(offset, source.Length));

        private Span<byte> Place(int layer, int block)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)layer, (uint)layout.Layers);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)block, (uint)blockCount);
            int size = layout.LayerBlockBytes;
            return _bytes.AsSpan(checked(((layer * blockCount) + block) * size), size);
        }
    }
}
