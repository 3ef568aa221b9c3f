using LlmCluster.Api.Errors;

namespace LlmCluster.Api.Requests;

/// <summary>The body of <c>POST /tokenize</c>: a text or a conversation.</summary>
/// <param name="Model">Name of the model, or null for the one that is served.</param>
/// <param name="Prompt">The text, or null.</param>
/// <param name="Chat">The conversation, or null.</param>
/// <param name="AddSpecialTokens">Whether the tokenizer adds its special tokens.</param>
/// <param name="ReturnTokenStrings">Whether the vocabulary's entries are wanted, too.</param>
public sealed record TokenizeRequest(string? Model, string? Prompt, ChatPrompt? Chat, bool AddSpecialTokens, bool ReturnTokenStrings)
{
    /// <summary>Reads and checks a body.</summary>
    /// <exception cref="ApiException">The body is wrong; the error names the field.</exception>
    public static TokenizeRequest Parse(ReadOnlySpan<byte> body)
    {
        RequestField request = RequestField.ParseBody(body);
        bool isChat = request["messages"].IsPresent;
        if (isChat && request["prompt"].IsPresent)
        {
            throw request["prompt"].Error("give either 'prompt' or 'messages', not both.");
        }

        return new TokenizeRequest(
            request["model"].IsPresent ? request["model"].String() : null,
            isChat ? null : request["prompt"].String(),
            isChat ? ChatPrompt.Read(request) : null,
            GenerationParametersReader.Optional(request["add_special_tokens"], !isChat, f => f.Boolean()),
            GenerationParametersReader.Optional(request["return_token_strs"], false, f => f.Boolean()));
    }
}

/// <summary>The body of <c>POST /detokenize</c>.</summary>
/// <param name="Model">Name of the model, or null for the one that is served.</param>
/// <param name="Tokens">The token ids.</param>
public sealed record DetokenizeRequest(string? Model, int[] Tokens)
{
    /// <summary>Reads and checks a body.</summary>
    /// <exception cref="ApiException">The body is wrong; the error names the field.</exception>
    public static DetokenizeRequest Parse(ReadOnlySpan<byte> body, RequestLimits limits)
    {
        RequestField request = RequestField.ParseBody(body);
        return new DetokenizeRequest(
            request["model"].IsPresent ? request["model"].String() : null,
            request["tokens"].Int32Array(0, limits.VocabSize - 1));
    }
}
