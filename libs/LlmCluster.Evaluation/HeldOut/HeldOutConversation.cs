using LlmCluster.Api.Requests;
using LlmCluster.Evaluation.Checks;

namespace LlmCluster.Evaluation.HeldOut;

/// <summary>A conversation that a model was not trained on, with a check of the answer that comes next.</summary>
internal sealed record HeldOutConversation
{
    /// <summary>Its name, unique in the file.</summary>
    public required string Id { get; init; }

    /// <summary>What it asks for.</summary>
    public required string Skill { get; init; }

    /// <summary>A part of the skill that is counted by itself, a context length say; or null.</summary>
    public string? Bucket { get; init; }

    /// <summary>Messages and tools.</summary>
    public required ChatPrompt Prompt { get; init; }

    /// <summary>Most tokens of the answer.</summary>
    public required int MaxTokens { get; init; }

    /// <summary>Judges the answer.</summary>
    public required ICheck Check { get; init; }

    /// <summary>File and line, for messages.</summary>
    public required string Location { get; init; }

    /// <summary>Under which name it is counted.</summary>
    public string Name => Bucket is null ? Skill : $"{Skill}_{Bucket}";

    /// <summary>The last message of the user; empty when there is none.</summary>
    public string Question => Prompt.Messages.LastOrDefault(m => (string?)m!["role"] == "user") is { } message ? (string?)message["content"] ?? "" : "";
}
