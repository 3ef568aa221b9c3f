using System.Text.Json;
using System.Text.Json.Nodes;
using LlmCluster.Api.Errors;

namespace LlmCluster.Api.Requests;

/// <summary>
/// Checks messages and brings them into the form that chat templates expect: contents as one string, arguments of tool
/// calls as objects, and the role <c>developer</c>, which templates don't know, as <c>system</c>.
/// </summary>
internal static class ChatMessageReader
{
    public static JsonArray Read(RequestField messages)
    {
        RequestField[] items = messages.Array();
        if (items.Length == 0)
        {
            throw messages.Error("at least one message is expected, but the array is empty.", ApiErrorCodes.Empty);
        }

        return new JsonArray(Array.ConvertAll(items, item => (JsonNode)ReadMessage(item)));
    }

    private static JsonObject ReadMessage(RequestField message)
    {
        string role = ReadRole(message.Object()["role"]);
        var result = new JsonObject { ["role"] = role };
        RequestField content = message["content"];
        RequestField calls = message["tool_calls"];
        if (content.IsPresent)
        {
            result["content"] = ReadContent(content);
        }
        else if (role == "assistant" && calls.IsPresent)
        {
            result["content"] = "";
        }
        else
        {
            content.Required();
        }

        if (calls.IsPresent)
        {
            if (role != "assistant")
            {
                throw calls.Error("only messages of the assistant can call tools.");
            }

            result["tool_calls"] = new JsonArray(Array.ConvertAll(calls.Array(), call => (JsonNode)ReadToolCall(call)));
        }

        Copy(message, result, "name");
        Copy(message, result, "tool_call_id");
        Copy(message, result, "reasoning_content");
        return result;
    }

    private static string ReadRole(RequestField field) => field.String() switch
    {
        "developer" => "system",
        string role and ("system" or "user" or "assistant" or "tool") => role,
        string other => throw field.Error($"'{other}' is not a role. Expected one of 'system', 'developer', 'user', 'assistant', 'tool'."),
    };

    private static string ReadContent(RequestField content)
    {
        if (content.Kind == JsonValueKind.String)
        {
            return content.String();
        }

        if (content.Kind != JsonValueKind.Array)
        {
            throw content.WrongType("a string or an array of content parts");
        }

        return string.Join('\n', content.Array().Select(ReadPart));
    }

    private static string ReadPart(RequestField part)
    {
        RequestField type = part.Object()["type"];
        return type.String() == "text"
            ? part["text"].String()
            : throw ApiError.Unsupported($"Unsupported value of '{type.Path}': only parts of type \"text\" are supported, not \"{type.String()}\".", type.Path).ToException();
    }

    private static JsonObject ReadToolCall(RequestField call)
    {
        RequestField function = call.Object()["function"].Object();
        var result = new JsonObject
        {
            ["type"] = "function",
            ["function"] = new JsonObject
            {
                ["name"] = function["name"].String(),
                ["arguments"] = ReadArguments(function["arguments"]),
            },
        };
        Copy(call, result, "id");
        return result;
    }

    private static JsonNode ReadArguments(RequestField arguments)
    {
        // OpenAI has them as a string of JSON; templates iterate over the object.
        if (!arguments.IsPresent)
        {
            return new JsonObject();
        }

        if (arguments.Kind == JsonValueKind.Object)
        {
            return JsonObject.Create(arguments.Element)!;
        }

        string text = arguments.String();
        if (text.Length == 0)
        {
            return new JsonObject();
        }

        try
        {
            return JsonNode.Parse(text) as JsonObject
                ?? throw arguments.Error("the arguments of a function have to be a JSON object.");
        }
        catch (JsonException)
        {
            throw arguments.Error("the arguments of a function have to be a JSON object, but they are not valid JSON.");
        }
    }

    private static void Copy(RequestField source, JsonObject target, string name)
    {
        RequestField field = source[name];
        if (field.IsPresent)
        {
            target[name] = field.String();
        }
    }
}
