using System.Buffers;
using LlmCluster.KvTransfer.Checksums;
using LlmCluster.Protocol.V1;

namespace LlmCluster.KvTransfer.Frames;

/// <summary>
/// One received <c>KvSenderMessage</c>. At most one of <see cref="Open"/>, <see cref="Blocks"/> and
/// <see cref="Commit"/> is set; none when the sender speaks a newer protocol.
/// </summary>
public sealed class KvIncomingFrame
{
    /// <summary>Opens a transfer.</summary>
    public KvOpen? Open { get; init; }

    /// <summary>Blocks. Their owner disposes them.</summary>
    public KvIncomingBlocks? Blocks { get; init; }

    /// <summary>Ends a transfer.</summary>
    public KvCommit? Commit { get; init; }
}

/// <summary>Received blocks in a pooled buffer. Disposing gives the buffer back.</summary>
public sealed class KvIncomingBlocks : IDisposable
{
    private readonly int _length;
    private readonly uint _checksum;
    private readonly uint _payloadState;
    private byte[]? _buffer;

    /// <summary>Takes over a buffer of <see cref="ArrayPool{T}.Shared"/>.</summary>
    internal KvIncomingBlocks(int layer, int firstBlock, int blockCount, uint checksum, byte[] buffer, int length, uint payloadState)
    {
        Layer = layer;
        FirstBlock = firstBlock;
        BlockCount = blockCount;
        _checksum = checksum;
        _buffer = buffer;
        _length = length;
        _payloadState = payloadState;
    }

    /// <summary>The layer.</summary>
    public int Layer { get; }

    /// <summary>Index within the sequence of the first block.</summary>
    public int FirstBlock { get; }

    /// <summary>Number of blocks, as the sender says.</summary>
    public int BlockCount { get; }

    /// <summary>The bytes of all blocks.</summary>
    /// <exception cref="ObjectDisposedException">The buffer was given back.</exception>
    public ReadOnlySpan<byte> Payload => (_buffer ?? throw new ObjectDisposedException(nameof(KvIncomingBlocks))).AsSpan(0, _length);

    /// <summary>Whether payload and numbers have the checksum that came with them.</summary>
    public bool IsIntact => KvChecksum.Finish(_payloadState, Layer, FirstBlock, BlockCount) == _checksum;

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _buffer, null) is { } buffer)
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
