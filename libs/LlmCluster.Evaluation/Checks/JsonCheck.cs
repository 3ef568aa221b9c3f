using System.Text.Json;
using LlmCluster.Api.Requests;

namespace LlmCluster.Evaluation.Checks;

/// <summary><c>{"kind": "json", "answer": OBJECT}</c>: the answer is that JSON object and nothing else.</summary>
internal sealed class JsonCheck(JsonElement expected) : ICheck
{
    public string Expected => expected.GetRawText();

    public static JsonCheck Read(RequestField check) => new(check["answer"].Object().Element);

    public Verdict Judge(Answer answer)
    {
        bool parses = JsonText.TryParseObject(answer.Text, out JsonElement value);
        return new Verdict(parses && JsonText.AreEqual(value, expected), parses);
    }
}
