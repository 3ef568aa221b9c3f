using System.Text.Json;
using System.Text.Json.Nodes;
using LlmCluster.Inference.Tokenization.Bpe;

namespace LlmCluster.Inference.Tokenization;

/// <summary>The ids of the special tokens of a tokenizer that <see cref="RandomTokenizer"/> wrote.</summary>
/// <param name="BosTokenId"><c>&lt;|begin_of_text|&gt;</c>.</param>
/// <param name="EosTokenId"><c>&lt;|end_of_text|&gt;</c>.</param>
/// <param name="ImStartTokenId"><c>&lt;|im_start|&gt;</c>: starts a chat message.</param>
/// <param name="ImEndTokenId"><c>&lt;|im_end|&gt;</c>: ends a chat message.</param>
public sealed record RandomTokenizerIds(int BosTokenId, int EosTokenId, int ImStartTokenId, int ImEndTokenId);

/// <summary>
/// Writes a byte-level BPE tokenizer for a checkpoint with random weights: it encodes any text, and its vocabulary has
/// exactly the size asked for. Only the size decides what it is.
/// </summary>
public static class RandomTokenizer
{
    /// <summary>The smallest vocabulary: 256 bytes and four special tokens.</summary>
    public const int SmallestVocabulary = 256 + 4;

    private static readonly string[] SpecialTokens = ["<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>"];

    private const string ChatTemplate =
        """
        {%- for message in messages %}
            {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}
            {{- '<|im_start|>assistant\n' }}
        {%- endif %}
        """;

    /// <summary>
    /// Writes <c>tokenizer.json</c> and <c>tokenizer_config.json</c>: bytes first, merged tokens next, the special tokens
    /// last. Encoding puts <c>&lt;|begin_of_text|&gt;</c> before the text; the chat template is ChatML.
    /// </summary>
    /// <param name="directory">Made if it is not there.</param>
    /// <param name="vocabSize">Number of tokens, at least <see cref="SmallestVocabulary"/>.</param>
    /// <returns>The ids of the special tokens, for <c>config.json</c>.</returns>
    public static RandomTokenizerIds Write(string directory, int vocabSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabSize, SmallestVocabulary);
        Directory.CreateDirectory(directory);
        int firstSpecial = vocabSize - SpecialTokens.Length;

        var vocabulary = new JsonObject();
        var merges = new JsonArray();
        for (int b = 0; b < 256; b++)
        {
            vocabulary[ByteAlphabet.ToChar((byte)b).ToString()] = b;
        }

        foreach (var (left, right) in Merges().Take(firstSpecial - 256))
        {
            vocabulary[left + right] = vocabulary.Count;
            merges.Add(new JsonArray(left, right));
        }

        WriteJson(Path.Combine(directory, "tokenizer.json"), new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray([.. SpecialTokens.Select((token, i) => AddedToken(firstSpecial + i, token))]),
            ["normalizer"] = null,
            ["pre_tokenizer"] = ByteLevel(useRegex: true),
            ["post_processor"] = Template(firstSpecial),
            ["decoder"] = ByteLevel(useRegex: true),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = null,
                ["continuing_subword_prefix"] = null,
                ["end_of_word_suffix"] = null,
                ["fuse_unk"] = false,
                ["byte_fallback"] = false,
                ["ignore_merges"] = false,
                ["vocab"] = vocabulary,
                ["merges"] = merges,
            },
        });
        WriteJson(Path.Combine(directory, "tokenizer_config.json"), new JsonObject
        {
            ["tokenizer_class"] = "PreTrainedTokenizerFast",
            ["bos_token"] = SpecialTokens[0],
            ["eos_token"] = SpecialTokens[1],
            ["chat_template"] = ChatTemplate,
            ["clean_up_tokenization_spaces"] = false,
        });
        return new RandomTokenizerIds(firstSpecial, firstSpecial + 1, firstSpecial + 2, firstSpecial + 3);
    }

    /// <summary>
    /// Merges without end that make pieces of English words: letters by their frequency, pairs of letters, then every token
    /// so far with every letter; each also with the space before it (U+0120).
    /// </summary>
    private static IEnumerable<(string Left, string Right)> Merges()
    {
        const string Letters = "etaoinshrdlcumwfgypbvkjxqz";
        const string Space = "\u0120";
        yield return (Space, Space);
        var longest = new List<string>();
        foreach (char letter in Letters)
        {
            yield return (Space, letter.ToString());
            longest.Add(Space + letter);
            longest.Add(letter.ToString());
        }

        while (true)
        {
            var longer = new List<string>(longest.Count * Letters.Length);
            foreach (string token in longest)
            {
                foreach (char letter in Letters)
                {
                    yield return (token, letter.ToString());
                    longer.Add(token + letter);
                }
            }

            longest = longer;
        }
    }

    private static JsonObject AddedToken(int id, string content) => new()
    {
        ["id"] = id,
        ["content"] = content,
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = false,
        ["special"] = true,
    };

    private static JsonObject ByteLevel(bool useRegex) => new()
    {
        ["type"] = "ByteLevel",
        ["add_prefix_space"] = false,
        ["trim_offsets"] = true,
        ["use_regex"] = useRegex,
    };

    private static JsonObject Template(int bosId)
    {
        string bos = SpecialTokens[0];
        JsonObject Special(int type) => new() { ["SpecialToken"] = new JsonObject { ["id"] = bos, ["type_id"] = type } };
        JsonObject Text(string id, int type) => new() { ["Sequence"] = new JsonObject { ["id"] = id, ["type_id"] = type } };
        return new JsonObject
        {
            ["type"] = "TemplateProcessing",
            ["single"] = new JsonArray(Special(0), Text("A", 0)),
            ["pair"] = new JsonArray(Special(0), Text("A", 0), Special(1), Text("B", 1)),
            ["special_tokens"] = new JsonObject
            {
                [bos] = new JsonObject { ["id"] = bos, ["ids"] = new JsonArray(bosId), ["tokens"] = new JsonArray(bos) },
            },
        };
    }

    private static void WriteJson(string file, JsonObject json)
    {
        using var stream = File.Create(file);
        using var writer = new Utf8JsonWriter(
            stream,
            new JsonWriterOptions { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteTo(writer);
    }
}
