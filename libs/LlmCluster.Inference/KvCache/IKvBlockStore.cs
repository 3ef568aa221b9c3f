using LlmCluster.Inference.KvCache.Checksums;

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

    /// <summary>As <see cref="Read(int, int, int, Span{byte})"/>, and carries on a <see cref="Crc32C"/> over the bytes.</summary>
    /// <returns>The state after them.</returns>
    uint Read(int layer, int block, int offset, Span<byte> destination, uint crcState)
    {
        Read(layer, block, offset, destination);
        return Crc32C.Append(crcState, destination);
    }

    /// <summary>As <see cref="Write(int, int, int, ReadOnlySpan{byte})"/>, and carries on a <see cref="Crc32C"/> over the bytes.</summary>
    /// <returns>The state after them.</returns>
    uint Write(int layer, int block, int offset, ReadOnlySpan<byte> source, uint crcState)
    {
        Write(layer, block, offset, source);
        return Crc32C.Append(crcState, source);
    }
}
