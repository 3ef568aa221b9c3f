namespace LlmCluster.Inference.Tokenization.Decoders;

/// <summary>
/// A stage of decoding one sequence. Tokens come in one by one, whole or in parts; each stage passes on what can no
/// longer change and holds the rest back until <see cref="End"/>. That makes decoding token by token and decoding all at
/// once the same thing.
/// </summary>
internal interface ITokenSink
{
    /// <summary>Takes a token's text.</summary>
    /// <param name="text">The text, or a part of it.</param>
    /// <param name="startsToken">Whether a new token starts here; otherwise this belongs to the one before.</param>
    void Add(string text, bool startsToken);

    /// <summary>No more tokens come.</summary>
    void End();
}

/// <summary>A decoder of <c>tokenizer.json</c>. Immutable; every sequence gets a stage of its own.</summary>
internal interface ITokenDecoder
{
    /// <summary>Whether the stage must be given whole tokens.</summary>
    bool NeedsWholeTokens { get; }

    /// <summary>Whether the stage makes one token of all, and passes it on in parts.</summary>
    bool Fuses { get; }

    /// <summary>Makes a stage that passes its results on.</summary>
    ITokenSink CreateStage(ITokenSink next);

    /// <summary>
    /// Decodes a token by itself, as if it stood between others: rewrites its text, or returns the bytes that it stands for.
    /// </summary>
    byte[]? DecodeAlone(ref string text);
}
