using System.Buffers;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.KvCache.Checksums;

namespace LlmCluster.Inference.Cpu;

/// <summary>
/// The KV pool in native memory, <c>[layer][block]</c> runs of <see cref="KvLayout.LayerBlockBytes"/>. Zero at first. Copies are
/// bounds-checked and hold the memory, so that a transfer which outlives the runner fails instead of touching freed
/// memory.
/// </summary>
internal sealed unsafe class CpuKvBlockStore : IKvBlockStore, IDisposable
{
    private readonly NativeBuffer _buffer;

    public CpuKvBlockStore(KvLayout layout, int blockCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(blockCount);
        Layout = layout;
        BlockCount = blockCount;
        _buffer = new NativeBuffer(checked(layout.BlockBytes * blockCount));
    }

    public KvLayout Layout { get; }

    public int BlockCount { get; }

    public void Read(int layer, int block, int offset, Span<byte> destination)
    {
        long start = Start(layer, block, offset, destination.Length);
        using var hold = new Hold(_buffer);
        new ReadOnlySpan<byte>(_buffer.Pointer + start, destination.Length).CopyTo(destination);
    }

    public void Write(int layer, int block, int offset, ReadOnlySpan<byte> source)
    {
        long start = Start(layer, block, offset, source.Length);
        using var hold = new Hold(_buffer);
        source.CopyTo(new Span<byte>(_buffer.Pointer + start, source.Length));
    }

    public uint Read(int layer, ReadOnlySpan<int> blocks, IBufferWriter<byte> destination, uint crcState)
    {
        int size = Layout.LayerBlockBytes;
        using var hold = new Hold(_buffer);
        foreach (int block in blocks)
        {
            var bytes = new ReadOnlySpan<byte>(_buffer.Pointer + Start(layer, block, 0, size), size);
            crcState = Crc32C.AppendCopying(crcState, bytes, destination.GetSpan(size), streaming: false);
            destination.Advance(size);
        }

        return crcState;
    }

    public uint Write(int layer, ReadOnlySpan<int> blocks, in ReadOnlySequence<byte> source, uint crcState)
    {
        Layout.CheckLength(blocks.Length, source.Length);
        int size = Layout.LayerBlockBytes;
        int offset = 0;
        using var hold = new Hold(_buffer);
        foreach (ReadOnlyMemory<byte> segment in source)
        {
            for (ReadOnlySpan<byte> rest = segment.Span; !rest.IsEmpty;)
            {
                ReadOnlySpan<byte> piece = rest[..Math.Min(rest.Length, size - offset)];
                long start = Start(layer, blocks[0], offset, piece.Length);

                // What is received is not read before all of it is there.
                crcState = Crc32C.AppendCopying(crcState, piece, new Span<byte>(_buffer.Pointer + start, piece.Length), streaming: true);
                rest = rest[piece.Length..];
                offset += piece.Length;
                if (offset == size)
                {
                    blocks = blocks[1..];
                    offset = 0;
                }
            }
        }

        Crc32C.CompleteStreaming();
        return crcState;
    }

    public void Dispose() => _buffer.Dispose();

    /// <summary>Block 0 of <paramref name="layer"/>; the next block follows <see cref="KvLayout.LayerBlockBytes"/> further on.</summary>
    public byte* Layer(int layer) => _buffer.Pointer + ((long)layer * BlockCount * Layout.LayerBlockBytes);

    private long Start(int layer, int block, int offset, int length)
    {
        if ((uint)layer >= (uint)Layout.Layers)
        {
            throw new ArgumentOutOfRangeException(nameof(layer), layer, $"The KV pool has {Layout.Layers} layers.");
        }

        if ((uint)block >= (uint)BlockCount)
        {
            throw new ArgumentOutOfRangeException(nameof(block), block, $"The KV pool has {BlockCount} blocks.");
        }

        if (offset < 0 || offset > Layout.LayerBlockBytes - length)
        {
            throw new ArgumentOutOfRangeException(
                nameof(offset), offset, $"{length} bytes from offset {offset} on do not lie within the {Layout.LayerBlockBytes} bytes of a block's layer.");
        }

        return (((long)layer * BlockCount) + block) * Layout.LayerBlockBytes + offset;
    }

    /// <summary>Keeps the memory from being freed.</summary>
    private readonly ref struct Hold
    {
        private readonly NativeBuffer _buffer;

        public Hold(NativeBuffer buffer)
        {
            bool held = false;
            buffer.DangerousAddRef(ref held);
            _buffer = buffer;
        }

        public void Dispose() => _buffer.DangerousRelease();
    }
}
