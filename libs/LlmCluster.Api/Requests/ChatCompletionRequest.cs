using System.Text.Json;
using System.Text.Json.Nodes;
using LlmCluster.Api.Errors;

namespace LlmCluster.Api.Requests;

/// <summary>What a chat template turns into a prompt.</summary>
/// <param name="Messages">The messages as JSON objects, contents as strings.</param>
/// <param name="Tools">Tools that the model may call, or null.</param>
/// <param name="TemplateArguments">More variables of the template, by name; or null.</param>
/// <param name="AddGenerationPrompt">Whether the prompt ends with the opening of the assistant's answer.</param>
public sealed record ChatPrompt(JsonArray Messages, JsonArray? Tools, JsonObject? TemplateArguments, bool AddGenerationPrompt)
{
    internal static ChatPrompt Read(RequestField request)
    {
        JsonArray messages = ChatMessageReader.Read(request["messages"]);
        RequestField choice = request["tool_choice"];
        bool offersTools = !(choice.Kind == JsonValueKind.String && choice.String() == "none");
        return new ChatPrompt(
            messages,
            offersTools ? ReadTools(request["tools"]) : null,
            request["chat_template_kwargs"].IsPresent ? JsonObject.Create(request["chat_template_kwargs"].Object().Element) : null,
            GenerationParametersReader.Optional(request["add_generation_prompt"], true, f => f.Boolean()));
    }

    private static JsonArray? ReadTools(RequestField field)
    {
        if (!field.IsPresent)
        {
            return null;
        }

        foreach (RequestField tool in field.Array())
        {
            RequestField type = tool.Object()["type"];
            if (type.String() != "function")
            {
                throw ApiError.Unsupported($"Unsupported value of '{type.Path}': only \"function\" is supported.", type.Path).ToException();
            }

            tool["function"].Object()["name"].String();
        }

        return field.Element.GetArrayLength() == 0 ? null : JsonArray.Create(field.Element);
    }
}

/// <summary>The body of <c>POST /v1/chat/completions</c>.</summary>
/// <param name="Parameters">How to generate.</param>
/// <param name="Prompt">The conversation.</param>
public sealed record ChatCompletionRequest(GenerationParameters Parameters, ChatPrompt Prompt)
{
    /// <summary>Reads and checks a body.</summary>
    /// <exception cref="ApiException">The body is wrong; the error names the field.</exception>
    public static ChatCompletionRequest Parse(ReadOnlySpan<byte> body, RequestLimits limits)
    {
        RequestField request = RequestField.ParseBody(body);

        // A chat template writes the special tokens itself.
        GenerationParameters parameters = GenerationParametersReader.Read(request, limits, addSpecialTokens: false) with
        {
            TopLogprobs = ReadLogprobs(request, limits),
        };
        UnsupportedFeatures.Refuse(request, parameters.Choices);
        UnsupportedFeatures.RefuseInChat(request);
        return parameters.Choices <= limits.MaxSequences
            ? new ChatCompletionRequest(parameters, ChatPrompt.Read(request))
            : throw request["n"].Error($"{parameters.Choices} is above the maximum of {limits.MaxSequences}.", ApiErrorCodes.AboveMaximum);
    }

    private static int ReadLogprobs(RequestField request, RequestLimits limits)
    {
        RequestField top = request["top_logprobs"];
        bool wanted = GenerationParametersReader.Optional(request["logprobs"], false, f => f.Boolean());
        int count = GenerationParametersReader.Optional(top, 0, f => f.Int32(0, limits.MaxLogprobs));
        if (!wanted && count > 0)
        {
            throw top.Error("log probabilities are allowed only when 'logprobs' is true.");
        }

        return wanted ? count : -1;
    }
}
