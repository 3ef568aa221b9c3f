using Microsoft.Extensions.Logging;

namespace LlmCluster.KvTransfer.Receiving;

internal static partial class KvReceiverLog
{
    [LoggerMessage(Level = LogLevel.Debug, Message = "Sequence {Sequence}, attempt {Epoch}: accepted, {Cached} of {Blocks} blocks are here already")]
    public static partial void Accepted(ILogger logger, SequenceKey sequence, int epoch, int cached, int blocks);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Sequence {Sequence}, attempt {Epoch}: taken over")]
    public static partial void TakenOver(ILogger logger, SequenceKey sequence, int epoch);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Sequence {Sequence}, attempt {Epoch}: had been taken over before")]
    public static partial void TakenOverBefore(ILogger logger, SequenceKey sequence, int epoch);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sequence {Sequence}, attempt {Epoch}: transfer failed ({Error}): {Problem}; {Published} blocks stay cached")]
    public static partial void Failed(ILogger logger, SequenceKey sequence, int epoch, KvTransferError error, string problem, int published);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Transfers} transfers did not end within {Limit} after they were cancelled")]
    public static partial void HandlersLeft(ILogger logger, int transfers, TimeSpan limit);

    [LoggerMessage(Level = LogLevel.Error, Message = "Dropping sequence {Sequence} failed")]
    public static partial void DropFailed(ILogger logger, string sequence, Exception exception);
}
