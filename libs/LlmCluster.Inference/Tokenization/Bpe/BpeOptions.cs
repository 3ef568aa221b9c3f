namespace LlmCluster.Inference.Tokenization.Bpe;

/// <summary>The switches of a BPE model in <c>tokenizer.json</c>.</summary>
internal sealed record BpeOptions
{
    /// <summary>Stands for a character that has no token, or none: the character is dropped then.</summary>
    public string? UnknownToken { get; init; }

    /// <summary>Whether a run of unknown characters is one unknown token.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>Whether a character that has no token becomes the tokens <c>&lt;0xNN&gt;</c> of its UTF-8 bytes.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>Whether a piece that is a token becomes that token without a look at the merges.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>Goes before every character of a piece but the first.</summary>
    public string ContinuingSubwordPrefix { get; init; } = "";

    /// <summary>Goes after the last character of a piece.</summary>
    public string EndOfWordSuffix { get; init; } = "";

    /// <summary>
    /// Whether the pre-tokenizer ends with the byte-level alphabet. The model then reads plain text and goes from UTF-8
    /// bytes to tokens by itself, which spares a copy of the text in that alphabet.
    /// </summary>
    public bool ByteLevel { get; init; }
}
