namespace LlmCluster.Inference.Output;

/// <summary>How a sequence's tokens become text.</summary>
public sealed record TextOptions
{
    /// <summary>Texts that end the answer as soon as one of them is complete; none may be empty.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>Whether the stop string, or the text of the stop token, belongs to the answer.</summary>
    public bool IncludeStop { get; init; }

    /// <summary>Whether special tokens (end of turn, say) give no text.</summary>
    public bool SkipSpecialTokens { get; init; } = true;
}
