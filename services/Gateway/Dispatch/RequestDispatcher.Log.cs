namespace LlmCluster.Gateway.Dispatch;

internal sealed partial class RequestDispatcher
{
    [LoggerMessage(LogLevel.Information, "{answer} with {sequences} sequences, {promptTokens} prompt tokens, placed: {reason}")]
    private partial void LogPlaced(string answer, int sequences, int promptTokens, string reason);

    [LoggerMessage(LogLevel.Warning, "{answer} failed with status {status}: {message}")]
    private partial void LogFailed(string answer, int status, string message);
}
