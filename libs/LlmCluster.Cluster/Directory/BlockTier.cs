namespace LlmCluster.Cluster.Directory;

/// <summary>Where a worker holds a block, the fastest first.</summary>
public enum BlockTier
{
    /// <summary>In its KV pool.</summary>
    Device,

    /// <summary>In host memory.</summary>
    Host,

    /// <summary>On its disk.</summary>
    Disk,
}
