namespace LlmCluster.Cluster;

/// <summary>How fresh a gateway's view of the cluster is.</summary>
public sealed record ClusterViewOptions
{
    /// <summary>The view is read anew at least this often, for loads change without a message.</summary>
    public TimeSpan RefreshInterval { get; init; } = TimeSpan.FromMilliseconds(500);
}
