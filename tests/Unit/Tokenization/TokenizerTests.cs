using System.Diagnostics;
using System.Text;
using LlmCluster.Inference.Tokenization;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Tokenization;

public class TokenizerTests
{
    [Fact]
    public void Lone_surrogates_count_as_replacement_characters()
    {
        var tokenizer = ReferenceCases.Load("llama 3 pattern");
        Assert.Equal(tokenizer.Encode("a\uFFFDb\uFFFD\uFFFD😀\uFFFD"), tokenizer.Encode("a\uD800b\uDC00\uDFFF😀\uD83D"));
    }

    [Fact]
    public void Token_bytes_are_those_of_the_token_alone()
    {
        var byteLevel = ReferenceCases.Load("byte level, GPT-2 pattern");
        Assert.Equal(" hello"u8.ToArray(), byteLevel.TokenBytes(byteLevel.TokenToId("Ġhello")!.Value));
        Assert.Equal([0xE6], byteLevel.TokenBytes(0xE6));

        var sentencePiece = ReferenceCases.Load("sentencepiece, byte fallback");
        Assert.Equal(" hello"u8.ToArray(), sentencePiece.TokenBytes(sentencePiece.TokenToId("▁hello")!.Value));
        Assert.Equal([0xE6], sentencePiece.TokenBytes(sentencePiece.TokenToId("<0xE6>")!.Value));
        Assert.Equal("</s>"u8.ToArray(), sentencePiece.TokenBytes(2));
    }

    [Fact]
    public void Half_a_character_is_held_back()
    {
        var byteLevel = ReferenceCases.Load("byte level, no pattern");
        int[] bytes = [.. "日"u8.ToArray().Select(b => (int)b)];
        var detokenizer = byteLevel.CreateDetokenizer();
        Assert.Equal(["", "", "日", ""], [.. bytes.Select(detokenizer.Append), detokenizer.Flush()]);

        detokenizer = byteLevel.CreateDetokenizer();
        Assert.Equal(["", "", "\uFFFD"], [.. bytes[..2].Select(detokenizer.Append), detokenizer.Flush()]);
    }

    [Fact]
    public void The_space_that_encoding_puts_first_is_stripped_once()
    {
        var tokenizer = ReferenceCases.Load("sentencepiece, byte fallback");
        int[] ids = tokenizer.Encode("hello hello", addSpecialTokens: false);
        var detokenizer = tokenizer.CreateDetokenizer();
        Assert.Equal(["hello", " hello", ""], [.. ids.Select(detokenizer.Append), detokenizer.Flush()]);
    }

    [Theory]
    [InlineData("llama 3 pattern")]
    [InlineData("byte level, no pattern")]
    [InlineData("sentencepiece, byte fallback")]
    [InlineData("sentencepiece, marks inside tokens")]
    public void Long_texts_take_time_in_proportion(string name)
    {
        var tokenizer = ReferenceCases.Load(name);
        var clock = Stopwatch.StartNew();
        foreach (string unit in new[] { "a", " ", "\n", "😀", "日", "hello world ", "\u0301" })
        {
            string text = new StringBuilder().Insert(0, unit, 200_000 / unit.Length).ToString();
            int[] ids = tokenizer.Encode(text, addSpecialTokens: false);
            Assert.Equal(text, tokenizer.Decode(ids));
        }

        // Quadratic time would be hours.
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(60), $"it took {clock.Elapsed}");
    }

    [Fact]
    public async Task Several_threads_get_what_one_gets()
    {
        using var directory = new TempDirectory("tokenizer");
        RandomTokenizer.Write(directory.Path, 4096);
        var tokenizer = Tokenizer.Load(directory.Path);
        string[] texts = [.. Enumerable.Range(0, 40).Select(i => string.Concat(Enumerable.Range(0, 50).Select(k => $" word{i * k % 97} thing{i}")))];
        int[][] expected = [.. texts.Select(text => Tokenizer.Load(directory.Path).Encode(text))];
        await Task.WhenAll(Enumerable.Range(0, 4).Select(worker => Task.Run(() =>
        {
            for (int i = 0; i < texts.Length; i++)
            {
                int at = (i + worker * 10) % texts.Length;
                Assert.Equal(expected[at], tokenizer.Encode(texts[at]));
            }
        })));
    }
}
