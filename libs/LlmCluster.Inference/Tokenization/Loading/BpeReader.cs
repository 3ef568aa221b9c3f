using System.Text.Json;
using LlmCluster.Inference.Tokenization.Bpe;

namespace LlmCluster.Inference.Tokenization.Loading;

/// <summary>Reads the member <c>model</c> of <c>tokenizer.json</c>.</summary>
internal static class BpeReader
{
    private const int MostIds = 1 << 24;

    public static BpeModel Read(JsonCursor json, bool byteLevel)
    {
        string type = json.GetString("type", "BPE");
        if (type != "BPE")
        {
            throw json.UnknownType("model", type, "BPE");
        }

        var options = new BpeOptions
        {
            UnknownToken = json.Optional("unk_token")?.GetString(),
            FuseUnknown = json.GetBoolean("fuse_unk", false),
            ByteFallback = json.GetBoolean("byte_fallback", false),
            IgnoreMerges = json.GetBoolean("ignore_merges", false),
            ContinuingSubwordPrefix = json.GetString("continuing_subword_prefix", ""),
            EndOfWordSuffix = json.GetString("end_of_word_suffix", ""),
            ByteLevel = byteLevel,
        };
        var vocabulary = ReadVocabulary(json.Required("vocab"));
        if (options.UnknownToken is { } unknown && vocabulary.IdOf(unknown) is null)
        {
            throw json.Required("unk_token").Error($"the token \"{unknown}\" is not in the vocabulary.");
        }

        var merges = ReadMerges(json.Required("merges"), vocabulary, options, out var mergedTokens);
        return new BpeModel(vocabulary, merges, options, mergedTokens);
    }

    /// <summary>The id, if it is one that a vocabulary can have.</summary>
    public static int CheckId(JsonCursor json, int id) =>
        id is >= 0 and < MostIds ? id : throw json.Error($"the id {id} is outside 0..{MostIds - 1}.");

    private static Vocabulary ReadVocabulary(JsonCursor json)
    {
        json.RequireKind(JsonValueKind.Object, "an object");
        var ids = new Dictionary<string, int>(json.Element.GetPropertyCount(), StringComparer.Ordinal);
        foreach (var entry in json.Element.EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out int id) || id is < 0 or >= MostIds)
            {
                throw json.Error($"the id of \"{entry.Name}\" must be an integer in 0..{MostIds - 1}.");
            }

            ids[entry.Name] = id;
        }

        return new Vocabulary(ids);
    }

    private static MergeTable ReadMerges(JsonCursor json, Vocabulary vocabulary, BpeOptions options, out List<string> mergedTokens)
    {
        json.RequireKind(JsonValueKind.Array, "an array");
        int count = json.Element.GetArrayLength();
        var merges = new MergeTable(count);
        mergedTokens = new List<string>(count);
        int rank = 0;
        foreach (var element in json.Element.EnumerateArray())
        {
            if (!TrySplit(element, out string left, out string right))
            {
                throw json.Error($"merge {rank} must be \"left right\" or [\"left\", \"right\"].");
            }

            string tail = options.ContinuingSubwordPrefix.Length > 0
                && right.StartsWith(options.ContinuingSubwordPrefix, StringComparison.Ordinal)
                ? right[options.ContinuingSubwordPrefix.Length..]
                : right;
            string merged = left + tail;
            merges.Set(Id(left), Id(right), new Merge(rank, Id(merged)));
            mergedTokens.Add(merged);
            rank++;
        }

        return merges;

        int Id(string token) => vocabulary.IdOf(token)
            ?? throw json.Error($"merge {rank} needs the token \"{token}\", which is not in the vocabulary.");
    }

    private static bool TrySplit(JsonElement element, out string left, out string right)
    {
        left = right = "";
        if (element.ValueKind == JsonValueKind.String)
        {
            string text = element.GetString()!;
            int space = text.IndexOf(' ', StringComparison.Ordinal);
            if (space <= 0 || space == text.Length - 1 || text.IndexOf(' ', space + 1) >= 0)
            {
                return false;
            }

            left = text[..space];
            right = text[(space + 1)..];
            return true;
        }

        if (element.ValueKind != JsonValueKind.Array
            || element.GetArrayLength() != 2
            || element[0].ValueKind != JsonValueKind.String
            || element[1].ValueKind != JsonValueKind.String)
        {
            return false;
        }

        left = element[0].GetString()!;
        right = element[1].GetString()!;
        return true;
    }
}
