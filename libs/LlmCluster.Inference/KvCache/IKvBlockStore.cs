namespace LlmCluster.Inference.KvCache;

/// <summary>
/// The bytes of a KV pool, addressed by (layer, block). Safe to call from several threads at once as long as
/// nobody reads a block that another thread writes; who may write a block is settled by <see cref="BlockPool"/>.
/// </summary>
public interface IKvBlockStore
{
    /// <summary>Shape of the pool.</summary>
    KvLayout Layout { get; }

    /// <summary>Blocks in the pool.</summary>
    int BlockCount { get; }

    /// <summary>Copies bytes of one (layer, block) out, from <paramref name="offset"/> on.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Layer, block or range lies outside the pool.</exception>
    void Read(int layer, int block, int offset, Span<byte> destination);

    /// <summary>Copies bytes of one (layer, block) in, from <paramref name="offset"/> on.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Layer, block or range lies outside the pool.</exception>
    void Write(int layer, int block, int offset, ReadOnlySpan<byte> source);
}
