using Grpc.Core;

namespace LlmCluster.Gateway.Dispatch;

internal sealed partial class PrefillLeg
{
    [LoggerMessage(LogLevel.Debug, "Sequence {index} was handed over by {worker} on attempt {epoch}: {cachedTokens} tokens were cached there, {skippedBlocks} blocks on the decode worker, {sentBytes} bytes sent")]
    private partial void LogHandedOver(int index, string worker, int epoch, int cachedTokens, int skippedBlocks, long sentBytes);

    [LoggerMessage(LogLevel.Warning, "Sequence {index} failed on {worker}, attempt {epoch} ({code}: {detail}); goes to {other}")]
    private partial void LogReplaced(int index, string worker, int epoch, StatusCode code, string detail, string other);

    [LoggerMessage(LogLevel.Warning, "Sequence {index} failed on {worker}, attempt {epoch} ({code}: {detail}); tried again there in {delay}")]
    private partial void LogRetried(int index, string worker, int epoch, StatusCode code, string detail, TimeSpan delay);

    [LoggerMessage(LogLevel.Warning, "Sequence {index} failed for good on {worker}, attempt {epoch} ({code}: {detail})")]
    private partial void LogFailed(int index, string worker, int epoch, StatusCode code, string detail);
}
