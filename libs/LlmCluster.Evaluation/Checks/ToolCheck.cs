using System.Text.Json;
using System.Text.Json.Nodes;
using LlmCluster.Api.Requests;

namespace LlmCluster.Evaluation.Checks;

/// <summary>
/// <c>{"kind": "tool", "name": NAME, "arguments": OBJECT}</c>: the answer is one call of that tool with these arguments, as
/// <c>&lt;tool_call&gt;{"name": ..., "arguments": {...}}&lt;/tool_call&gt;</c>, and nothing else.
/// </summary>
internal sealed class ToolCheck(JsonElement call) : ICheck
{
    private const string Begin = "<tool_call>";
    private const string End = "</tool_call>";

    public string Expected => $"{Begin}{call.GetRawText()}{End}";

    public static ToolCheck Read(RequestField check)
    {
        var call = new JsonObject
        {
            ["name"] = check["name"].String(),
            ["arguments"] = JsonObject.Create(check["arguments"].Object().Element),
        };
        return new ToolCheck(JsonSerializer.SerializeToElement(call));
    }

    public Verdict Judge(Answer answer)
    {
        ReadOnlySpan<char> text = answer.Text.AsSpan().Trim();
        return new Verdict(
            text.StartsWith(Begin, StringComparison.Ordinal)
            && text.EndsWith(End, StringComparison.Ordinal)
            && JsonText.TryParseObject(text[Begin.Length..^End.Length], out JsonElement value)
            && JsonText.AreEqual(value, call));
    }
}
