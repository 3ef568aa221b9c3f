using System.Text.Json;
using LlmCluster.Inference.Output;

namespace LlmCluster.Api.Responses;

/// <summary>Log probabilities as <c>/v1/completions</c> has them: parallel arrays.</summary>
internal static class LegacyLogprobs
{
    /// <summary>Writes the properties of the object.</summary>
    public static void Write(Utf8JsonWriter json, IReadOnlyList<OutputToken> all, Func<OutputToken, bool> lists)
    {
        OutputToken[] tokens = [.. all.Where(lists)];
        json.WriteStartArray("tokens"u8);
        foreach (OutputToken token in tokens)
        {
            json.WriteStringValue(token.Text);
        }

        json.WriteEndArray();
        json.WriteStartArray("token_logprobs"u8);
        foreach (OutputToken token in tokens)
        {
            json.WriteNumberValue(Logprobs.Finite(token.Logprob));
        }

        json.WriteEndArray();
        WriteTop(json, tokens);
        json.WriteStartArray("text_offset"u8);
        foreach (OutputToken token in tokens)
        {
            json.WriteNumberValue(token.TextOffset);
        }

        json.WriteEndArray();
    }

    private static void WriteTop(Utf8JsonWriter json, OutputToken[] tokens)
    {
        if (!Array.Exists(tokens, t => t.Top is { Count: > 0 }))
        {
            json.WriteNull("top_logprobs"u8);
            return;
        }

        // Two tokens may stand for the same text (halves of characters, say): the likelier one keeps the name.
        var names = new HashSet<string>(StringComparer.Ordinal);
        json.WriteStartArray("top_logprobs"u8);
        foreach (OutputToken token in tokens)
        {
            names.Clear();
            json.WriteStartObject();
            foreach (TopToken top in token.Top ?? [])
            {
                if (names.Add(top.Text))
                {
                    json.WriteNumber(top.Text, Logprobs.Finite(top.Logprob));
                }
            }

            if (names.Add(token.Text))
            {
                json.WriteNumber(token.Text, Logprobs.Finite(token.Logprob));
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
