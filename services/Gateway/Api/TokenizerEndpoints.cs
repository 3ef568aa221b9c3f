using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using LlmCluster.Api.Errors;
using LlmCluster.Api.Requests;
using LlmCluster.Gateway.Models;

namespace LlmCluster.Gateway.Api;

/// <summary><c>/tokenize</c> and <c>/detokenize</c>, as vLLM has them.</summary>
internal sealed class TokenizerEndpoints(ServedModel model, PromptEncoder encoder, ModelFacts facts, RequestLimits limits, GatewayOptions options)
{
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/tokenize", (Delegate)TokenizeAsync);
        routes.MapPost("/detokenize", (Delegate)DetokenizeAsync);
    }

    private async Task<IResult> TokenizeAsync(HttpContext context)
    {
        TokenizeRequest request = TokenizeRequest.Parse(await RequestBody.ReadAsync(context, options.MaxBodyBytes).ConfigureAwait(false));
        CheckModel(request.Model);
        int[] tokens = request.Chat is { } chat
            ? encoder.Encode(chat, request.AddSpecialTokens)
            : model.Tokenizer.Encode(request.Prompt!, request.AddSpecialTokens);
        string?[]? strings = request.ReturnTokenStrings ? Array.ConvertAll(tokens, model.Tokenizer.IdToToken) : null;
        return Results.Json(new TokenizeResponse(tokens.Length, facts.ContextLength, tokens, strings), RelaxedTokenizerJson.Instance.TokenizeResponse);
    }

    private async Task<IResult> DetokenizeAsync(HttpContext context)
    {
        DetokenizeRequest request = DetokenizeRequest.Parse(await RequestBody.ReadAsync(context, options.MaxBodyBytes).ConfigureAwait(false), limits);
        CheckModel(request.Model);
        string text = model.Tokenizer.Decode(request.Tokens, skipSpecialTokens: false);
        return Results.Json(new DetokenizeResponse(text), RelaxedTokenizerJson.Instance.DetokenizeResponse);
    }

    private void CheckModel(string? name)
    {
        if (name is not null && name != model.Name)
        {
            throw ApiError.ModelNotFound(name, model.Name).ToException();
        }
    }
}

/// <param name="Count">Number of tokens.</param>
/// <param name="MaxModelLen">Longest sequence in tokens.</param>
/// <param name="Tokens">The token ids.</param>
/// <param name="TokenStrs">The vocabulary's entries, when asked for.</param>
internal sealed record TokenizeResponse(int Count, int MaxModelLen, int[] Tokens, string?[]? TokenStrs);

internal sealed record DetokenizeResponse(string Prompt);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TokenizeResponse))]
[JsonSerializable(typeof(DetokenizeResponse))]
internal sealed partial class TokenizerJson : JsonSerializerContext;

internal static class RelaxedTokenizerJson
{
    /// <summary>Writes text as UTF-8 rather than as escapes.</summary>
    public static TokenizerJson Instance { get; } = new(new JsonSerializerOptions(TokenizerJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
