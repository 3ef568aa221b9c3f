using LlmCluster.Inference.KvCache;
using LlmCluster.Protocol.V1;

namespace LlmCluster.KvTransfer.Frames;

/// <summary>
/// One <c>KvSenderMessage</c> about to be sent: exactly one of <see cref="Open"/>, <see cref="Blocks"/> and
/// <see cref="Commit"/> is set.
/// </summary>
public sealed class KvOutgoingFrame
{
    /// <summary>A frame that opens a transfer.</summary>
    public KvOutgoingFrame(KvOpen open) => Open = open;

    /// <summary>A frame of blocks.</summary>
    public KvOutgoingFrame(KvOutgoingBlocks blocks) => Blocks = blocks;

    /// <summary>A frame that ends a transfer.</summary>
    public KvOutgoingFrame(KvCommit commit) => Commit = commit;

    /// <summary>Opens a transfer.</summary>
    public KvOpen? Open { get; }

    /// <summary>Blocks.</summary>
    public KvOutgoingBlocks? Blocks { get; }

    /// <summary>Ends a transfer.</summary>
    public KvCommit? Commit { get; }
}

/// <summary>
/// Consecutive blocks of a sequence in one layer, still in the sender's pool. Their bytes are copied once, from the
/// pool into the transport's buffer. Whoever made this keeps the blocks referenced until the frame is written.
/// </summary>
/// <param name="Store">The pool's bytes.</param>
/// <param name="Layer">The layer.</param>
/// <param name="FirstBlock">Index within the sequence of the first block.</param>
/// <param name="PoolBlocks">Pool numbers of the blocks.</param>
public sealed record KvOutgoingBlocks(IKvBlockStore Store, int Layer, int FirstBlock, ReadOnlyMemory<int> PoolBlocks)
{
    /// <summary>Bytes of the payload.</summary>
    public int PayloadLength => checked(PoolBlocks.Length * Store.Layout.LayerBlockBytes);
}
