using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Interop.Tokenizers;

public class TokenizerInteropTests
{
    private const int Texts = 2500;

    public static TheoryData<string> Names => [.. RealTokenizers.Names];

    /// <summary>
    /// Lone surrogates go to the reference as U+FFFD, which is what they count as here and in the Rust library; the
    /// JavaScript one keeps them until it looks for bytes, and so never finds Llama 2's own token for U+FFFD. What they
    /// give is checked against known ids below.
    /// </summary>
    [Theory]
    [MemberData(nameof(Names))]
    public async Task Ids_and_texts_equal_those_of_the_reference_library(string name)
    {
        var tokenizer = RealTokenizers.Load(name);
        var texts = TextCorpus.Create(Texts);
        var reference = await NodeScript.RunAsync(
            "tokenizers/reference.mjs", [RealTokenizers.Folder(name)], RealTokenizers.JsonLines(texts.Select(RealTokenizers.WellFormed)));
        string[] answers = reference.Lines;
        Assert.Equal(texts.Count, answers.Length);
        for (int i = 0; i < texts.Count; i++)
        {
            var answer = JsonNode.Parse(answers[i])!;
            int[] expected = answer["ids"].Deserialize<int[]>()!;
            int[] ids = tokenizer.Encode(texts[i]);
            Assert.True(expected.SequenceEqual(ids), $"{JsonSerializer.Serialize(RealTokenizers.WellFormed(texts[i]))}: expected {Show(expected)}, got {Show(ids)}");
            Assert.Equal(answer["text"]!.GetValue<string>(), tokenizer.Decode(ids, skipSpecialTokens: false));
            Assert.Equal(answer["plain"]!.GetValue<string>(), tokenizer.Decode(ids, skipSpecialTokens: true));
            Assert.Equal(answer["text"]!.GetValue<string>(), RealTokenizers.DecodeOneByOne(tokenizer, ids, skipSpecialTokens: false));
        }
    }

    /// <summary>
    /// Ids that version 0.22.2 of the Hugging Face library, the Rust one, gives: the texts are those on which
    /// reimplementations tend to differ.
    /// </summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Ids_equal_those_of_the_rust_library(string name)
    {
        var tokenizer = RealTokenizers.Load(name);
        var cases = RealTokenizers.KnownCases(name);
        Assert.True(cases.Count >= 100);
        foreach (var item in cases)
        {
            // The texts hold lone surrogates, so they are written as UTF-16 units.
            string text = string.Concat(item!["units"]!.GetValue<string>().Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Select(unit => (char)int.Parse(unit, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)));
            int[] expected = item["ids"].Deserialize<int[]>()!;
            Assert.Equal(Show(expected), Show(tokenizer.Encode(text)));
            Assert.Equal(item["text"]!.GetValue<string>(), tokenizer.Decode(expected, skipSpecialTokens: false));
        }
    }

    /// <summary>Qwen 3 normalizes to NFC and loses nothing, so there and back is the normalized text.</summary>
    [Fact]
    public async Task Normalization_equals_that_of_the_unicode_library_for_every_character()
    {
        var texts = new List<string>();
        var text = new StringBuilder();
        for (int codePoint = 1; codePoint <= 0x10FFFF; codePoint++)
        {
            // Between 0xE0000 and the private planes' end nothing has a decomposition; the tags and selectors are covered.
            if (!Rune.IsValid(codePoint) || codePoint is (>= 0x323B0 and < 0xE0000) or >= 0xE0200)
            {
                continue;
            }

            text.Append(char.ConvertFromUtf32(codePoint)).Append("a\u0327").Append(char.ConvertFromUtf32(codePoint)).Append("\u0301\u1161\u11A8");
            if (text.Length > 4000)
            {
                texts.Add(text.ToString());
                text.Clear();
            }
        }

        texts.Add(text.ToString());
        var reference = await NodeScript.RunAsync("tokenizers/normalize.mjs", ["NFC"], RealTokenizers.JsonLines(texts));
        string[] answers = reference.Lines;
        Assert.Equal(texts.Count, answers.Length);
        var tokenizer = RealTokenizers.Load("qwen3");
        for (int i = 0; i < texts.Count; i++)
        {
            string expected = JsonSerializer.Deserialize<string>(answers[i])!;
            Assert.Equal(expected, tokenizer.Decode(tokenizer.Encode(texts[i]), skipSpecialTokens: false));
        }
    }

    private static string Show(int[] ids) => string.Join(' ', ids);
}
