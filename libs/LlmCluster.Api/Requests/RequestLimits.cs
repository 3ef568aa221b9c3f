namespace LlmCluster.Api.Requests;

/// <summary>What a request may ask for at most.</summary>
public sealed record RequestLimits
{
    /// <summary>Rows of the model's embedding table: token ids must lie below.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Most choices of one prompt (<c>n</c>).</summary>
    public int MaxChoices { get; init; } = 128;

    /// <summary>Most prompts in one completion request.</summary>
    public int MaxPrompts { get; init; } = 256;

    /// <summary>Most sequences in one request: prompts times choices.</summary>
    public int MaxSequences { get; init; } = 256;

    /// <summary>Most stop strings.</summary>
    public int MaxStopStrings { get; init; } = 4;

    /// <summary>Most log probabilities reported for one token.</summary>
    public int MaxLogprobs { get; init; } = 20;
}
