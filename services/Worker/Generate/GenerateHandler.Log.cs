using LlmCluster.Inference.Engine;
using Microsoft.Extensions.Logging;

namespace LlmCluster.Worker.Generate;

internal sealed partial class GenerateHandler
{
    [LoggerMessage(LogLevel.Debug, "{request} answered: {promptTokens} prompt tokens, {cachedTokens} of them cached, {completionTokens} generated")]
    private partial void LogAnswered(string request, int promptTokens, int cachedTokens, int completionTokens);

    [LoggerMessage(LogLevel.Warning, "{request} failed ({error}): {message}")]
    private partial void LogFailed(string request, GenerationError error, string message);

    [LoggerMessage(LogLevel.Error, "{request} failed in a way that was not foreseen")]
    private partial void LogDefect(Exception exception, string request);
}
