namespace LlmCluster.Gateway.Resilience;

internal sealed partial class StateHealth
{
    [LoggerMessage(LogLevel.Warning, "The cluster's state can't be reached: limits and fairness hold for this gateway alone until it can. {reason}")]
    private partial void LogLost(string reason);

    [LoggerMessage(LogLevel.Information, "The cluster's state can be reached again")]
    private partial void LogBack();
}
