namespace LlmCluster.Cluster;

/// <summary>The shared state of the cluster can't be reached, or refused an operation. Trying again later may help.</summary>
public sealed class ClusterStateException : Exception
{
    /// <summary>Makes an error.</summary>
    /// <param name="message">What failed and where; never a secret.</param>
    /// <param name="innerException">The cause.</param>
    public ClusterStateException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
