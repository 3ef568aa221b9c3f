namespace LlmCluster.Inference.Tokenization.AddedTokens;

/// <summary>A token that is found in the text before the model sees it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text.</param>
internal sealed record AddedToken(int Id, string Content)
{
    /// <summary>Whether decoding can leave it out.</summary>
    public bool Special { get; init; }

    /// <summary>Whether it counts only where no word character touches it.</summary>
    public bool SingleWord { get; init; }

    /// <summary>Whether it takes white space before it along.</summary>
    public bool LeftStrip { get; init; }

    /// <summary>Whether it takes white space after it along.</summary>
    public bool RightStrip { get; init; }

    /// <summary>Whether it is looked for in normalized text.</summary>
    public bool Normalized { get; init; }
}
