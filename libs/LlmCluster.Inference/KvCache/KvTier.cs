namespace LlmCluster.Inference.KvCache;

/// <summary>Where content of KV blocks is held, the fastest first.</summary>
public enum KvTier
{
    /// <summary>The pool.</summary>
    Device,

    /// <summary>Host memory.</summary>
    Host,

    /// <summary>The local disk.</summary>
    Disk,
}
