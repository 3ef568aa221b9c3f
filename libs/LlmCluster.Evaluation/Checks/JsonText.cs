using System.Text.Json;

namespace LlmCluster.Evaluation.Checks;

/// <summary>JSON that a model wrote, so with anything in it.</summary>
internal static class JsonText
{
    /// <summary>Whether the text is a JSON object and nothing else, white space around it aside.</summary>
    public static bool TryParseObject(ReadOnlySpan<char> text, out JsonElement value)
    {
        try
        {
            value = JsonElement.Parse(text);
            return value.ValueKind == JsonValueKind.Object;
        }
        catch (JsonException)
        {
            value = default;
            return false;
        }
    }

    /// <summary>Whether two values are equal; the order of members and the spelling of numbers and strings don't count.</summary>
    public static bool AreEqual(JsonElement left, JsonElement right)
    {
        try
        {
            return JsonElement.DeepEquals(left, right);
        }
        catch (InvalidOperationException)
        {
            // A string holds half of an escaped surrogate pair, which no expected value does.
            return false;
        }
    }
}
