namespace LlmCluster.Cluster.Accounts;

/// <summary>What both implementations take for an active tenant.</summary>
internal static class Tenants
{
    /// <summary>A tenant that was not named for that long is active no more, and its counter is dropped.</summary>
    public static readonly TimeSpan ActiveFor = TimeSpan.FromMinutes(5);
}
