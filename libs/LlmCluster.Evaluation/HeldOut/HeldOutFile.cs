using System.Text.Json;
using LlmCluster.Api.Errors;
using LlmCluster.Api.Requests;
using LlmCluster.Evaluation.Checks;
using LlmCluster.Evaluation.Results;

namespace LlmCluster.Evaluation.HeldOut;

/// <summary>
/// Reads held-out conversations, one JSON object a line: <c>id</c>, <c>skill</c>, <c>bucket</c> (optional), <c>messages</c>
/// and <c>tools</c> (optional) as in OpenAI's API, <c>max_tokens</c> and <c>check</c>. Empty lines are skipped, and other
/// fields ignored.
/// </summary>
internal static class HeldOutFile
{
    /// <exception cref="EvaluationException">The file is missing, empty or malformed; the message names file and line.</exception>
    public static List<HeldOutConversation> Read(string path)
    {
        if (!File.Exists(path))
        {
            throw new EvaluationException($"{path} does not exist; expected a file of held-out conversations, one JSON object a line.");
        }

        var conversations = new List<HeldOutConversation>();
        var seen = new Dictionary<string, string>(StringComparer.Ordinal);
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            string location = $"{path}, line {number}";
            HeldOutConversation conversation = ReadLine(line, location);
            if (conversation.Name.EndsWith(SkillScore.ParsesSuffix, StringComparison.Ordinal))
            {
                throw new EvaluationException($"{location}: '{conversation.Name}' can't be the name of a skill; '{SkillScore.ParsesSuffix}' stands for the share of answers that are JSON objects.");
            }

            if (!seen.TryAdd(conversation.Id, location))
            {
                throw new EvaluationException($"{location}: the id '{conversation.Id}' is that of {seen[conversation.Id]}, too; ids have to differ.");
            }

            conversations.Add(conversation);
        }

        return conversations.Count > 0 ? conversations : throw new EvaluationException($"{path} holds no conversation.");
    }

    private static HeldOutConversation ReadLine(string line, string location)
    {
        try
        {
            var root = new RequestField(JsonElement.Parse(line), "");
            return root.Kind == JsonValueKind.Object ? Read(root, location) : throw new EvaluationException($"{location}: expected a JSON object.");
        }
        catch (JsonException e)
        {
            throw new EvaluationException($"{location}: not valid JSON at byte {(e.BytePositionInLine ?? 0) + 1}.", e);
        }
        catch (ApiException e)
        {
            throw new EvaluationException($"{location}: {e.Message}", e);
        }
    }

    private static HeldOutConversation Read(RequestField root, string location) => new()
    {
        Id = Text(root["id"]),
        Skill = Text(root["skill"]),
        Bucket = root["bucket"].IsPresent ? Text(root["bucket"]) : null,
        Prompt = ChatPrompt.Read(root) with { AddGenerationPrompt = true },
        MaxTokens = root["max_tokens"].Int32(1, int.MaxValue),
        Check = CheckReader.Read(root["check"]),
        Location = location,
    };

    private static string Text(RequestField field) =>
        field.String() is { Length: > 0 } text ? text : throw field.Error("expected a text that is not empty.");
}
