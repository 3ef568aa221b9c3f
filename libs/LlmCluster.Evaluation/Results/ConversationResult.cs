namespace LlmCluster.Evaluation.Results;

/// <summary>The answer to one held-out conversation, and whether it is right.</summary>
public sealed record ConversationResult
{
    /// <summary>Name of the conversation.</summary>
    public required string Id { get; init; }

    /// <summary>What it asks for.</summary>
    public required string Skill { get; init; }

    /// <summary>A part of the skill that is counted by itself, or null.</summary>
    public string? Bucket { get; init; }

    /// <summary>The last message of the user.</summary>
    public required string Question { get; init; }

    /// <summary>What would be right, for people to read.</summary>
    public required string Expected { get; init; }

    /// <summary>Token ids of the prompt.</summary>
    public required IReadOnlyList<int> PromptIds { get; init; }

    /// <summary>Tokens of the prompt whose K/V was in the prefix cache.</summary>
    public int CachedPromptTokens { get; init; }

    /// <summary>Token ids of the answer, with the stop token where it ended by one.</summary>
    public required IReadOnlyList<int> OutputIds { get; init; }

    /// <summary>The answer, without special tokens.</summary>
    public required string Text { get; init; }

    /// <summary>Whether the model ended the answer, rather than a limit on its length.</summary>
    public required bool EndedItself { get; init; }

    /// <summary>Whether the answer is right.</summary>
    public required bool Right { get; init; }

    /// <summary>Whether the answer is a JSON object at all; null where none was asked for.</summary>
    public bool? Parses { get; init; }

    /// <summary>Under which name it is counted: the skill, with <c>_</c> and the bucket where there is one.</summary>
    public string Name => Bucket is null ? Skill : $"{Skill}_{Bucket}";
}
