using System.Text.Json.Nodes;
using LlmCluster.Evaluation.HeldOut;
using LlmCluster.Testing;

namespace LlmCluster.Tests.Unit.Evaluation;

/// <summary>Lines of a held-out file.</summary>
internal static class HeldOutLines
{
    /// <summary>A line with one message of the user.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="check">The check, as JSON.</param>
    /// <param name="skill">Its skill.</param>
    /// <param name="bucket">Its bucket, or null.</param>
    /// <param name="message">The message.</param>
    /// <param name="maxTokens">Most tokens of the answer.</param>
    public static string Line(
        string id,
        string check = """{"kind": "exact", "answer": "yes"}""",
        string skill = "recall",
        string? bucket = null,
        string message = "Yes?",
        int maxTokens = 8)
    {
        var line = new JsonObject
        {
            ["id"] = id,
            ["skill"] = skill,
            ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = message }),
            ["max_tokens"] = maxTokens,
            ["check"] = JsonNode.Parse(check),
        };
        if (bucket is not null)
        {
            line["bucket"] = bucket;
        }

        return line.ToJsonString();
    }

    /// <summary>Writes the lines to a file and reads it.</summary>
    public static List<HeldOutConversation> Read(params string[] lines)
    {
        using var folder = new TempDirectory("heldout");
        return HeldOutFile.Read(folder.Write("heldout.jsonl", string.Join('\n', lines)));
    }
}
