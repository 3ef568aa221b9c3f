namespace LlmCluster.Gateway.Access;

internal sealed partial class AccessRules
{
    [LoggerMessage(LogLevel.Information, "Read keys and classes from '{file}' again")]
    private partial void LogRead(string file);

    [LoggerMessage(LogLevel.Error, "Keys and classes stay as they are: {reason}")]
    private partial void LogWrong(string reason);
}
