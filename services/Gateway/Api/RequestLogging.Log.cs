namespace LlmCluster.Gateway.Api;

internal sealed partial class RequestLogging
{
    [LoggerMessage(LogLevel.Information, "{method} {path} ended with status {status} after {milliseconds:0.0} ms")]
    private partial void LogEnded(string method, string path, int status, double milliseconds);

    [LoggerMessage(LogLevel.Information, "{method} {path}: the client hung up after {milliseconds:0.0} ms")]
    private partial void LogHungUp(string method, string path, double milliseconds);
}
