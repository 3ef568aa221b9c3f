namespace LlmCluster.KvTransfer.Frames;

/// <summary>Tags of <c>KvSenderMessage</c> and <c>KvBlocks</c>: field number times eight plus wire type.</summary>
internal static class KvWire
{
    // KvSenderMessage
    public const byte OpenTag = (1 << 3) | 2;
    public const byte BlocksTag = (2 << 3) | 2;
    public const byte CommitTag = (3 << 3) | 2;

    // KvBlocks
    public const byte LayerTag = 1 << 3;
    public const byte FirstBlockTag = 2 << 3;
    public const byte BlockCountTag = 3 << 3;
    public const byte PayloadTag = (4 << 3) | 2;
    public const byte ChecksumTag = (5 << 3) | 5;

    /// <summary>Bytes of the longest 32-bit varint.</summary>
    public const int MaxVarint = 5;

    /// <summary>Most bytes of a blocks frame before its payload: five fields of a tag and a varint each.</summary>
    public const int MaxHeader = 5 * (1 + MaxVarint);
}
