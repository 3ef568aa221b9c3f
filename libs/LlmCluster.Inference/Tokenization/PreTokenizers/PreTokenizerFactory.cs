using LlmCluster.Inference.Tokenization.Loading;
using LlmCluster.Inference.Tokenization.Patterns;

namespace LlmCluster.Inference.Tokenization.PreTokenizers;

/// <summary>Builds pre-tokenizers from <c>tokenizer.json</c>.</summary>
internal static class PreTokenizerFactory
{
    private const string Known =
        "Sequence, Split, ByteLevel, Metaspace, Digits, Punctuation, Whitespace, WhitespaceSplit, CharDelimiterSplit and BertPreTokenizer";

    /// <summary>Builds the pre-tokenizer of a file.</summary>
    /// <param name="json">The member <c>pre_tokenizer</c>, or none.</param>
    /// <param name="byteLevel">
    /// Whether it ends with the byte-level alphabet. That last step is left out of the result: the model does it.
    /// </param>
    public static IPreTokenizer Create(JsonCursor? json, out bool byteLevel)
    {
        var stages = new List<IPreTokenizer>();
        if (json is { } cursor)
        {
            Add(cursor, stages);
        }

        byteLevel = stages.Count > 0 && stages[^1] is ByteAlphabetPreTokenizer;
        if (byteLevel)
        {
            stages.RemoveAt(stages.Count - 1);
        }

        return stages.Count == 1 ? stages[0] : new SequencePreTokenizer(stages);
    }

    private static void Add(JsonCursor json, List<IPreTokenizer> stages)
    {
        string type = json.Required("type").GetString();
        switch (type)
        {
            case "Sequence":
                foreach (var item in json.Required("pretokenizers").Items())
                {
                    Add(item, stages);
                }

                break;

            case "Split":
                stages.Add(new SplitPreTokenizer(
                    PatternFactory.Create(json.Required("pattern")),
                    Behavior(json.Required("behavior")),
                    json.GetBoolean("invert", false)));
                break;

            case "ByteLevel":
                if (json.GetBoolean("add_prefix_space", true))
                {
                    stages.Add(new PrefixSpacePreTokenizer());
                }

                if (json.GetBoolean("use_regex", true))
                {
                    stages.Add(new SplitPreTokenizer(new Gpt2Scanner(), SplitBehavior.Isolated, invert: false));
                }

                stages.Add(new ByteAlphabetPreTokenizer());
                break;

            case "Metaspace":
                stages.Add(new MetaspacePreTokenizer(
                    json.GetChar("replacement", '\u2581'), PrependSchemes.Read(json), json.GetBoolean("split", true)));
                break;

            case "Digits":
                stages.Add(new SplitPreTokenizer(
                    CodePointPattern.Numeric,
                    json.GetBoolean("individual_digits", false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous,
                    invert: false));
                break;

            case "Punctuation":
                stages.Add(new SplitPreTokenizer(
                    CodePointPattern.Punctuation,
                    json.Optional("behavior") is { } behavior ? Behavior(behavior) : SplitBehavior.Isolated,
                    invert: false));
                break;

            case "Whitespace":
                stages.Add(new SplitPreTokenizer(new RegexPattern(@"\w+|[^\w\s]+"), SplitBehavior.Removed, invert: true));
                break;

            case "WhitespaceSplit":
                stages.Add(new SplitPreTokenizer(CodePointPattern.WhiteSpace, SplitBehavior.Removed, invert: false));
                break;

            case "CharDelimiterSplit":
                stages.Add(new SplitPreTokenizer(
                    new LiteralPattern(json.Required("delimiter").GetString()), SplitBehavior.Removed, invert: false));
                break;

            case "BertPreTokenizer":
                stages.Add(new SplitPreTokenizer(CodePointPattern.WhiteSpace, SplitBehavior.Removed, invert: false));
                stages.Add(new SplitPreTokenizer(CodePointPattern.Punctuation, SplitBehavior.Isolated, invert: false));
                break;

            default:
                throw json.UnknownType("pre-tokenizer", type, Known);
        }
    }

    private static SplitBehavior Behavior(JsonCursor json) => json.GetString() switch
    {
        "Removed" => SplitBehavior.Removed,
        "Isolated" => SplitBehavior.Isolated,
        "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" => SplitBehavior.MergedWithNext,
        "Contiguous" => SplitBehavior.Contiguous,
        var other => throw json.Error(
            $"unknown behavior \"{other}\"; known are Removed, Isolated, MergedWithPrevious, MergedWithNext and Contiguous."),
    };
}
