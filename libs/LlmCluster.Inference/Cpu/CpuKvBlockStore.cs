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
        bool held = false;
        try
        {
            _buffer.DangerousAddRef(ref held);
            new ReadOnlySpan<byte>(_buffer.Pointer + start, destination.Length).CopyTo(destination);
        }
        finally
        {
            Release(held);
        }
    }

    public void Write(int layer, int block, int offset, ReadOnlySpan<byte> source)
    {
        long start = Start(layer, block, offset, source.Length);
        bool held = false;
        try
        {
            _buffer.DangerousAddRef(ref held);
            source.CopyTo(new Span<byte>(_buffer.Pointer + start, source.Length));
        }
        finally
        {
            Release(held);
        }
    }

    public uint Read(int layer, int block, int offset, Span<byte> destination, uint crcState)
    {
        long start = Start(layer, block, offset, destination.Length);
        bool held = false;
        try
        {
            _buffer.DangerousAddRef(ref held);
            return Crc32C.AppendCopying(crcState, new ReadOnlySpan<byte>(_buffer.Pointer + start, destination.Length), destination, streaming: false);
        }
        finally
        {
            Release(held);
        }
    }

    public uint Write(int layer, int block, int offset, ReadOnlySpan<byte> source, uint crcState)
    {
        long start = Start(layer, block, offset, source.Length);
        bool held = false;
        try
        {
            _buffer.DangerousAddRef(ref held);
            // What is received is not read before all of it is there.
            return Crc32C.AppendCopying(crcState, source, new Span<byte>(_buffer.Pointer + start, source.Length), streaming: true);
        }
        finally
        {
            Release(held);
        }
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

    private void Release(bool held)
    {
        if (held)
        {
            _buffer.DangerousRelease();
        }
    }
}
