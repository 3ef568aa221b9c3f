using System.Buffers;
using LlmCluster.Protocol.V1;

namespace LlmCluster.KvTransfer.Frames;

/// <summary>
/// One received <c>KvSenderMessage</c>; empty when the sender speaks a newer protocol. The blocks of a frame are not
/// in here: they have gone to an <see cref="IKvBlockSink"/> while the frame was read.
/// </summary>
public sealed class KvIncomingFrame
{
    /// <summary>The frame of every run of blocks.</summary>
    internal static readonly KvIncomingFrame OfBlocks = new() { HasBlocks = true };

    /// <summary>Opens a transfer.</summary>
    public KvOpen? Open { get; init; }

    /// <summary>Ends a transfer.</summary>
    public KvCommit? Commit { get; init; }

    /// <summary>Whether the frame held blocks.</summary>
    public bool HasBlocks { get; init; }
}

/// <summary>Takes blocks straight from the transport's buffer.</summary>
public interface IKvBlockSink
{
    /// <summary>
    /// Takes a run of blocks. The payload is valid during the call only. Does not throw: a run that can't be taken is
    /// the receiver's to remember.
    /// </summary>
    /// <param name="layer">The layer, as the sender says.</param>
    /// <param name="firstBlock">Index within the sequence of the first block, as the sender says.</param>
    /// <param name="blockCount">Number of blocks, as the sender says.</param>
    /// <param name="payload">The bytes of all blocks.</param>
    /// <param name="checksum">The checksum that came with them.</param>
    void Receive(int layer, int firstBlock, int blockCount, in ReadOnlySequence<byte> payload, uint checksum);
}
