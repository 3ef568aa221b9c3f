using System.Text.Json;
using LlmCluster.Api.Errors;

namespace LlmCluster.Api.Requests;

/// <summary>A prompt: text or token ids.</summary>
/// <param name="Text">The text, or null.</param>
/// <param name="Tokens">The token ids, or null.</param>
public readonly record struct PromptInput(string? Text, int[]? Tokens);

/// <summary>The body of <c>POST /v1/completions</c>.</summary>
/// <param name="Parameters">How to generate.</param>
/// <param name="Prompts">At least one prompt.</param>
public sealed record CompletionRequest(GenerationParameters Parameters, IReadOnlyList<PromptInput> Prompts)
{
    /// <summary>Reads and checks a body.</summary>
    /// <exception cref="ApiException">The body is wrong; the error names the field.</exception>
    public static CompletionRequest Parse(ReadOnlySpan<byte> body, RequestLimits limits)
    {
        RequestField request = RequestField.ParseBody(body);
        GenerationParameters parameters = GenerationParametersReader.Read(request, limits, addSpecialTokens: true) with
        {
            TopLogprobs = GenerationParametersReader.Optional(request["logprobs"], -1, f => f.Int32(0, limits.MaxLogprobs)),
        };
        UnsupportedFeatures.Refuse(request, parameters.Choices);
        PromptInput[] prompts = ReadPrompts(request["prompt"].Required(), limits);
        if (prompts.Length * (long)parameters.Choices > limits.MaxSequences)
        {
            throw request["prompt"].Error(
                $"{prompts.Length} prompts with {parameters.Choices} choices each are more than the {limits.MaxSequences} sequences that one request may have.",
                ApiErrorCodes.TooMany);
        }

        return new CompletionRequest(parameters, prompts);
    }

    private static PromptInput[] ReadPrompts(RequestField prompt, RequestLimits limits)
    {
        if (prompt.Kind == JsonValueKind.String)
        {
            return [ReadText(prompt)];
        }

        const string Expected = "a string, an array of strings, an array of token ids, or an array of arrays of token ids";
        if (prompt.Kind != JsonValueKind.Array)
        {
            throw prompt.WrongType(Expected);
        }

        int count = prompt.Element.GetArrayLength();
        if (count == 0)
        {
            throw prompt.Error($"the array is empty. Expected {Expected}.", ApiErrorCodes.Empty);
        }

        if (prompt.Element[0].ValueKind == JsonValueKind.Number)
        {
            return [ReadTokens(prompt, limits)];
        }

        if (count > limits.MaxPrompts)
        {
            throw prompt.Error($"{count} prompts are more than the maximum of {limits.MaxPrompts}.", ApiErrorCodes.TooMany);
        }

        return Array.ConvertAll(prompt.Array(), item => item.Kind switch
        {
            JsonValueKind.String => ReadText(item),
            JsonValueKind.Array => ReadTokens(item, limits),
            _ => throw item.WrongType("a string or an array of token ids"),
        });
    }

    private static PromptInput ReadText(RequestField field)
    {
        string text = field.String();
        return text.Length > 0 ? new PromptInput(text, null) : throw field.Error("a prompt can't be empty.", ApiErrorCodes.Empty);
    }

    private static PromptInput ReadTokens(RequestField field, RequestLimits limits)
    {
        int[] tokens = field.Int32Array(0, limits.VocabSize - 1);
        return tokens.Length > 0 ? new PromptInput(null, tokens) : throw field.Error("a prompt can't be empty.", ApiErrorCodes.Empty);
    }
}
