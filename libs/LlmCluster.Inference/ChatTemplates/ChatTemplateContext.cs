using System.Text.Json.Nodes;

namespace LlmCluster.Inference.ChatTemplates;

/// <summary>What a chat template is rendered with. JSON is copied before rendering, and never changed.</summary>
public sealed record ChatTemplateContext
{
    /// <summary>The conversation: an array of messages with <c>role</c>, <c>content</c> and what else the template knows.</summary>
    public required JsonNode Messages { get; init; }

    /// <summary>The tools that the model may call, or none.</summary>
    public JsonNode? Tools { get; init; }

    /// <summary>Documents for retrieval, or none.</summary>
    public JsonNode? Documents { get; init; }

    /// <summary>Whether the prompt ends with the start of an answer.</summary>
    public bool AddGenerationPrompt { get; init; } = true;

    /// <summary>Text of the token that starts a sequence, or none.</summary>
    public string? BosToken { get; init; }

    /// <summary>Text of the token that ends a sequence, or none.</summary>
    public string? EosToken { get; init; }

    /// <summary>More variables by name (<c>enable_thinking</c>, say). They go before those above.</summary>
    public JsonObject? Variables { get; init; }

    /// <summary>What <c>strftime_now</c> takes for now; the local time by default.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>How much work rendering may do.</summary>
    public ChatTemplateLimits Limits { get; init; } = ChatTemplateLimits.Default;
}
