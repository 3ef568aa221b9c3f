using System.Text.Json;
using System.Text.Json.Nodes;
using LlmCluster.Inference.Tokenization;
using LlmCluster.Testing;

namespace LlmCluster.Tests.Unit.Tokenization;

/// <summary>
/// Small tokenizers of every kind of component, and what version 0.22.2 of the Hugging Face library makes of texts with
/// them; <c>reference-cases.mjs</c> wrote the file.
/// </summary>
internal static class ReferenceCases
{
    private static readonly Lazy<JsonObject> File = new(() => JsonNode.Parse(
        System.IO.File.ReadAllText(RepositoryRoot.Combine("tests", "Unit", "Tokenization", "reference-cases.json")))!.AsObject());

    public static IEnumerable<string> Names => Tokenizers.Select(t => t["name"]!.GetValue<string>());

    private static IEnumerable<JsonObject> Tokenizers => File.Value["tokenizers"]!.AsArray().Select(t => t!.AsObject());

    public static JsonObject Find(string name) => Tokenizers.Single(t => t["name"]!.GetValue<string>() == name);

    /// <summary>Loads the tokenizer of a case.</summary>
    public static Tokenizer Load(string name)
    {
        var json = Find(name)["tokenizer"]!.DeepClone().AsObject();
        json["model"] = File.Value["models"]![json["model"]!.GetValue<int>()]!.DeepClone();
        using var directory = new TempDirectory("tokenizer");
        directory.Write("tokenizer.json", json.ToJsonString());
        return Tokenizer.Load(directory.Path);
    }

    public static int[] Ids(JsonNode? node) => node.Deserialize<int[]>()!;
}
