using Microsoft.Extensions.Logging;

namespace LlmCluster.Inference.Engine;

internal sealed partial class EngineLoop
{
    [LoggerMessage(Level = LogLevel.Critical, Message = "A step of the engine failed; every sequence was ended")]
    private partial void LogStepFailed(Exception error);

    [LoggerMessage(Level = LogLevel.Error, Message = "The model failed on a batch of {Sequences} sequences, which were ended")]
    private partial void LogForwardFailed(int sequences, Exception error);

    [LoggerMessage(Level = LogLevel.Error, Message = "No token could be chosen for {RequestId}")]
    private partial void LogSamplingFailed(string requestId, Exception error);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{RequestId} gave its KV blocks up at {Tokens} tokens and will be computed again")]
    private partial void LogPreempted(string requestId, int tokens);
}
