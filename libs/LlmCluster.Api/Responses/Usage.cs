using System.Text.Json;

namespace LlmCluster.Api.Responses;

/// <summary>Tokens that a request used.</summary>
/// <param name="PromptTokens">Tokens of all prompts, each prompt once whatever its number of choices.</param>
/// <param name="CompletionTokens">Tokens generated for all choices, stop tokens included.</param>
/// <param name="CachedTokens">Prompt tokens whose K/V came from the prefix cache.</param>
public readonly record struct Usage(int PromptTokens, int CompletionTokens, int CachedTokens)
{
    internal void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject("usage"u8);
        json.WriteNumber("prompt_tokens"u8, PromptTokens);
        json.WriteNumber("completion_tokens"u8, CompletionTokens);
        json.WriteNumber("total_tokens"u8, PromptTokens + CompletionTokens);
        json.WriteStartObject("prompt_tokens_details"u8);
        json.WriteNumber("cached_tokens"u8, CachedTokens);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
