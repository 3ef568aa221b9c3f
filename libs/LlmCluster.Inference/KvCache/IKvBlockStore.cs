using System.Buffers;
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

    /// <summary>
    /// Appends whole blocks of one layer to <paramref name="destination"/>, [block][byte], and carries on a <see cref="Crc32C"/> over the bytes.
    /// </summary>
    /// <returns>The state after them.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The layer or a block lies outside the pool.</exception>
    uint Read(int layer, ReadOnlySpan<int> blocks, IBufferWriter<byte> destination, uint crcState)
    {
        foreach (int block in blocks)
        {
            Span<byte> span = destination.GetSpan(Layout.LayerBlockBytes)[..Layout.LayerBlockBytes];
            Read(layer, block, 0, span);
            crcState = Crc32C.Append(crcState, span);
            destination.Advance(span.Length);
        }

        return crcState;
    }

    /// <summary>
    /// Copies whole blocks of one layer in from <paramref name="source"/>, [block][byte], and carries on a <see cref="Crc32C"/> over the bytes.
    /// </summary>
    /// <returns>The state after them.</returns>
    /// <exception cref="ArgumentException"><paramref name="source"/> is shorter or longer than so many blocks.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The layer or a block lies outside the pool.</exception>
    uint Write(int layer, ReadOnlySpan<int> blocks, in ReadOnlySequence<byte> source, uint crcState)
    {
        Layout.CheckLength(blocks.Length, source.Length);
        int offset = 0;
        foreach (ReadOnlyMemory<byte> segment in source)
        {
            for (ReadOnlySpan<byte> rest = segment.Span; !rest.IsEmpty;)
            {
                ReadOnlySpan<byte> piece = rest[..Math.Min(rest.Length, Layout.LayerBlockBytes - offset)];
                Write(layer, blocks[0], offset, piece);
                crcState = Crc32C.Append(crcState, piece);
                rest = rest[piece.Length..];
                offset += piece.Length;
                if (offset == Layout.LayerBlockBytes)
                {
                    blocks = blocks[1..];
                    offset = 0;
                }
            }
        }

        return crcState;
    }
}
