namespace LlmCluster.Cluster;

/// <summary>How fresh a gateway's view of the cluster is.</summary>
public sealed record ClusterViewOptions
{
    /// <summary>The view is read anew at least this often, for loads change without a message.</summary>
    public TimeSpan RefreshInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// For so long after the state could not be reached, workers that it does not know are still taken to be there: it may have come back empty, and they join again.
    /// </summary>
    public TimeSpan RejoinTime { get; init; } = TimeSpan.FromSeconds(3);
}
