using System.Text;

namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>Strings by code points, as Python counts them.</summary>
internal static class CodePoints
{
    public static int Count(string text)
    {
        int count = text.Length;
        for (int i = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDBFF'); i >= 0 && i + 1 < text.Length; i++)
        {
            if (char.IsSurrogatePair(text[i], text[i + 1]))
            {
                count--;
                i++;
            }
        }

        return count;
    }

    public static bool IsBasic(string text) => text.AsSpan().IndexOfAnyInRange('\uD800', '\uDBFF') < 0;

    /// <summary>The characters one by one.</summary>
    public static object?[] Split(string text)
    {
        var characters = new List<object?>(text.Length);
        for (int i = 0; i < text.Length;)
        {
            int length = i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]) ? 2 : 1;
            characters.Add(length == 1 ? text[i].ToString() : text.Substring(i, length));
            i += length;
        }

        return [.. characters];
    }

    public static string Reverse(string text)
    {
        var result = new StringBuilder(text.Length);
        object?[] characters = Split(text);
        for (int i = characters.Length - 1; i >= 0; i--)
        {
            result.Append((string)characters[i]!);
        }

        return result.ToString();
    }
}
