using LlmCluster.Inference.Engine;

namespace LlmCluster.KvTransfer;

/// <summary>What ended a transfer, on whatever transport.</summary>
public enum KvTransferError
{
    /// <summary>The sequence or a message is malformed or can never be served.</summary>
    InvalidRequest,

    /// <summary>The two workers' models or KV layouts differ.</summary>
    Mismatch,

    /// <summary>A newer attempt is under way, or this attempt was made before.</summary>
    StaleEpoch,

    /// <summary>A message came that the protocol does not allow here: a block twice, say, or a commit too early.</summary>
    Protocol,

    /// <summary>A payload does not have its checksum.</summary>
    Corrupt,

    /// <summary>No blocks became available in time.</summary>
    NoRoom,

    /// <summary>The decode worker dropped the request: its client is gone or nobody claimed it.</summary>
    Dropped,

    /// <summary>The other worker can't be reached or shuts down.</summary>
    Unavailable,

    /// <summary>A stage passed its deadline.</summary>
    DeadlineExceeded,

    /// <summary>The caller cancelled.</summary>
    Cancelled,

    /// <summary>A defect.</summary>
    Internal,
}

/// <summary>A transfer failed.</summary>
/// <param name="error">The kind of failure.</param>
/// <param name="message">What happened, for an operator.</param>
/// <param name="innerException">The cause.</param>
public sealed class KvTransferException(KvTransferError error, string message, Exception? innerException = null)
    : Exception(message, innerException)
{
    /// <summary>The kind of failure.</summary>
    public KvTransferError Error { get; } = error;

    /// <summary>The transfer error that an exception of the engine, or any other, amounts to.</summary>
    internal static KvTransferException From(Exception exception) => exception switch
    {
        KvTransferException transfer => transfer,
        GenerationException generation => new KvTransferException(
            generation.Error switch
            {
                GenerationError.InvalidRequest => KvTransferError.InvalidRequest,
                GenerationError.Overloaded => KvTransferError.NoRoom,
                GenerationError.DeadlineExceeded => KvTransferError.DeadlineExceeded,
                GenerationError.Unavailable => KvTransferError.Unavailable,
                _ => KvTransferError.Internal,
            },
            generation.Message,
            generation),
        OperationCanceledException => new KvTransferException(KvTransferError.Cancelled, "The transfer was cancelled.", exception),
        IOException => new KvTransferException(KvTransferError.Unavailable, $"The connection broke: {exception.Message}", exception),
        TimeoutException => new KvTransferException(KvTransferError.DeadlineExceeded, exception.Message, exception),
        _ => new KvTransferException(KvTransferError.Internal, $"The transfer failed: {exception.Message}", exception),
    };
}
