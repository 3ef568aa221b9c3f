using LlmCluster.Api.Generate;
using LlmCluster.Api.Responses;

namespace LlmCluster.Gateway.Proxy;

/// <summary>What an answer used, as the worker says, in tokens.</summary>
/// <param name="PromptTokens">Tokens of all prompts, each prompt once whatever its number of choices.</param>
/// <param name="CachedTokens">Prompt tokens whose K/V was not computed.</param>
/// <param name="CompletionTokens">Tokens generated for all choices.</param>
internal sealed record AnswerUsage(int PromptTokens, int CachedTokens, int CompletionTokens)
{
    /// <summary>Reads it from the headers, or the trailers, of a worker's answer.</summary>
    /// <returns>Null when they don't say.</returns>
    public static AnswerUsage? From(System.Net.Http.Headers.HttpResponseHeaders headers) =>
        headers.NonValidated.TryGetValues(GenerateHeaders.Usage, out var values)
            && values.Count == 1
            && GenerateHeaders.TryParseUsage(values.ToString(), out Usage usage)
                ? new AnswerUsage(usage.PromptTokens, usage.CachedTokens, usage.CompletionTokens)
                : null;
}
