using LlmCluster.KvTransfer.Frames;
using LlmCluster.Protocol.V1;

namespace LlmCluster.KvTransfer.Transports;

/// <summary>
/// A way for transfers to reach other workers. gRPC is the one that always works; a faster one carries the same
/// messages in the same order and fails with the same errors.
/// </summary>
public interface IKvTransport : IAsyncDisposable
{
    /// <summary>Opens a stream to a worker.</summary>
    /// <param name="receiver">The worker's gRPC endpoint, which names it on every transport.</param>
    /// <param name="cancellationToken">Ends the whole stream.</param>
    /// <exception cref="KvTransferException">The worker can't be reached; may also come from the stream's first use.</exception>
    ValueTask<IKvSenderStream> OpenAsync(Uri receiver, CancellationToken cancellationToken);
}

/// <summary>The sender's end of a transfer. Disposing it before the receiver is done ends the transfer at the receiver, too.</summary>
/// <remarks>One caller writes and one reads at a time; both fail with <see cref="KvTransferException"/>.</remarks>
public interface IKvSenderStream : IAsyncDisposable
{
    /// <summary>Sends a frame; waits while the receiver is behind. Nothing of the frame is read after the wait has ended.</summary>
    ValueTask WriteAsync(KvOutgoingFrame frame, CancellationToken cancellationToken);

    /// <summary>Says that no frame follows.</summary>
    ValueTask CompleteAsync();

    /// <summary>The receiver's next message, or null when it has ended the transfer without error.</summary>
    ValueTask<KvReceiverMessage?> ReadAsync(CancellationToken cancellationToken);
}

/// <summary>The receiver's end of a transfer. One caller at a time.</summary>
public interface IKvReceiverStream
{
    /// <summary>The next frame; null when the sender is through.</summary>
    /// <param name="blocks">Takes the frame's blocks, before the read completes and never afterwards; none: they are skipped.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<KvIncomingFrame?> ReadAsync(IKvBlockSink? blocks, CancellationToken cancellationToken);

    /// <summary>Sends a message.</summary>
    ValueTask WriteAsync(KvReceiverMessage message, CancellationToken cancellationToken);
}
