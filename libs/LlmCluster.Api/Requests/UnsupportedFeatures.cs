using System.Text.Json;
using LlmCluster.Api.Errors;

namespace LlmCluster.Api.Requests;

/// <summary>
/// Refuses what would change the answer but is not offered. Ignoring such a field would give an answer that looks right
/// and is not. Fields that nobody knows are ignored, as OpenAI does.
/// </summary>
internal static class UnsupportedFeatures
{
    private static readonly string[] ConstrainedDecoding =
        ["guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs", "allowed_token_ids", "bad_words", "logits_processors"];

    private static readonly string[] Prompting =
        ["prompt_embeds", "prompt_logprobs", "truncate_prompt_tokens", "chat_template", "documents", "functions", "web_search_options"];

    private static readonly string[] Switches = ["echo", "use_beam_search", "continue_final_message"];

    /// <summary>Checks the fields that no endpoint offers.</summary>
    public static void Refuse(RequestField request, int choices)
    {
        foreach (string name in ConstrainedDecoding)
        {
            RefuseUnless(request[name], IsEmpty, "constrained decoding is not supported");
        }

        foreach (string name in Prompting)
        {
            RefuseUnless(request[name], IsEmpty, "it is not supported");
        }

        foreach (string name in Switches)
        {
            RefuseUnless(request[name], f => f.Kind == JsonValueKind.False, "only false is supported");
        }

        RefuseUnless(request["best_of"], f => f.Int64() == choices, "only the value of 'n' is supported");
        RefuseUnless(request["suffix"], f => f.String().Length == 0, "insertion is not supported");
        RefuseUnless(request["response_format"], f => f.Object()["type"].String() == "text", "only {\"type\": \"text\"} is supported");
    }

    /// <summary>Checks the fields of chat requests.</summary>
    public static void RefuseInChat(RequestField request)
    {
        RefuseUnless(request["modalities"], IsTextOnly, "only text is supported");
        RefuseUnless(request["audio"], IsEmpty, "audio is not supported");
        RefuseUnless(
            request["tool_choice"],
            f => f.Kind == JsonValueKind.String && f.String() is "none" or "auto",
            "only \"none\" and \"auto\" are supported: a call of a tool can't be forced");
        RefuseUnless(
            request["function_call"],
            f => f.Kind == JsonValueKind.String && f.String() is "none" or "auto",
            "only \"none\" and \"auto\" are supported: a call of a function can't be forced");
    }

    private static void RefuseUnless(RequestField field, Func<RequestField, bool> isSupported, string reason)
    {
        if (field.IsPresent && !isSupported(field))
        {
            throw ApiError.Unsupported($"Unsupported value of '{field.Path}': {reason}.", field.Path).ToException();
        }
    }

    private static bool IsEmpty(RequestField field) => field.Kind switch
    {
        JsonValueKind.Array => field.Element.GetArrayLength() == 0,
        JsonValueKind.False => true,
        _ => false,
    };

    private static bool IsTextOnly(RequestField field) => field.Array().All(f => f.String() == "text");
}
