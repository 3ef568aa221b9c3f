using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>Makes values of templates from JSON.</summary>
internal static class JsonValues
{
    public static object? ToValue(JsonNode? node)
    {
        switch (node)
        {
            case null:
                return null;
            case JsonObject json:
                var dict = new TemplateDict();
                foreach (var (name, value) in json)
                {
                    dict.Set(name, ToValue(value));
                }

                return dict;
            case JsonArray array:
                var list = new List<object?>(array.Count);
                foreach (var item in array)
                {
                    list.Add(ToValue(item));
                }

                return list;
            default:
                return node.GetValueKind() switch
                {
                    JsonValueKind.String => node.GetValue<string>(),
                    JsonValueKind.True => true,
                    JsonValueKind.False => false,
                    JsonValueKind.Number => Number(node.ToJsonString()),
                    _ => null,
                };
        }
    }

    /// <summary>A number is an integer unless it has a fraction or an exponent, as in Python.</summary>
    private static object Number(string text)
    {
        if (text.AsSpan().IndexOfAny(".eE") >= 0)
        {
            return double.Parse(text, CultureInfo.InvariantCulture);
        }

        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
            ? (object)number
            : BigInteger.Parse(text, CultureInfo.InvariantCulture);
    }
}
