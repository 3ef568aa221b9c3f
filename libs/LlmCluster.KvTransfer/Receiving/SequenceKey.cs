namespace LlmCluster.KvTransfer.Receiving;

/// <summary>A sequence whatever the attempt: the client's request and the index within it.</summary>
/// <param name="RequestId">The request.</param>
/// <param name="Index">The index.</param>
internal readonly record struct SequenceKey(string RequestId, int Index)
{
    /// <inheritdoc/>
    public override string ToString() => $"{RequestId}/{Index}";
}
