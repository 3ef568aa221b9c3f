using Microsoft.Extensions.Logging;

namespace LlmCluster.Cluster;

public sealed partial class ClusterView
{
    [LoggerMessage(LogLevel.Warning, "The cluster's state can't be reached; going on with the {count} workers last known: {reason}")]
    private partial void LogUnreachable(int count, string reason);

    [LoggerMessage(LogLevel.Information, "The cluster's state can be reached again; it holds {count} workers")]
    private partial void LogReachable(int count);

    [LoggerMessage(LogLevel.Error, "A handler of changes in the cluster failed")]
    private partial void LogHandlerFailed(Exception exception);
}
