using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Output;
using Xunit;

namespace LlmCluster.Tests.Unit.Output;

public class TextGenerationTests
{
    private static readonly ByteTokenizer Tokenizer = new("hello", " wor", "ld", "STOP here");

    [Fact]
    public async Task Half_a_character_waits_for_its_other_half()
    {
        (List<TextDelta> deltas, _, _) = await ReadAsync(Bytes("aé😀!"), FinishReason.Length, new TextOptions());
        Assert.Equal(["a", "", "é", "", "", "", "😀", "!"], deltas.Select(d => d.Text));
        Assert.Equal([0, 1, 1, 2, 2, 2, 2, 4], deltas.Select(d => d.Tokens.Single().TextOffset));
    }

    [Fact]
    public async Task An_unfinished_character_ends_as_a_replacement()
    {
        (List<TextDelta> deltas, _, _) = await ReadAsync([.. Bytes("a"), 0xF0, 0x9F], FinishReason.Length, new TextOptions());
        Assert.Equal("a\uFFFD", string.Concat(deltas.Select(d => d.Text)));
    }

    [Fact]
    public async Task A_stop_token_ends_the_answer_without_its_text()
    {
        (List<TextDelta> deltas, TextGeneration text, _) = await ReadAsync([.. Bytes("ab"), 'c'], FinishReason.Stop, new TextOptions());
        Assert.Equal("ab", string.Concat(deltas.Select(d => d.Text)));
        Assert.Equal(FinishReason.Stop, deltas[^1].FinishReason);
        Assert.True(deltas[^1].Tokens.Single().IsStop);
        Assert.Equal(3, text.CompletionTokens);
        Assert.Equal((int)'c', text.StopTokenId);
        Assert.Null(text.MatchedStopString);
    }

    [Fact]
    public async Task A_stop_token_asked_for_is_part_of_the_text()
    {
        (List<TextDelta> deltas, _, _) = await ReadAsync(
            [.. Bytes("ab"), 'c'], FinishReason.Stop, new TextOptions { IncludeStop = true });
        Assert.Equal("abc", string.Concat(deltas.Select(d => d.Text)));
    }

    [Theory]
    [InlineData(true, "ab")]
    [InlineData(false, "ab<end>")]
    public async Task Special_tokens_give_text_only_when_asked(bool skip, string expected)
    {
        (List<TextDelta> deltas, _, _) = await ReadAsync(
            [.. Bytes("ab"), ByteTokenizer.End], FinishReason.Length, new TextOptions { SkipSpecialTokens = skip });
        Assert.Equal(expected, string.Concat(deltas.Select(d => d.Text)));
    }

    [Theory]
    [InlineData(false, "hello wor")]
    [InlineData(true, "hello world")]
    public async Task A_stop_string_ends_the_answer_and_the_sequence(bool include, string expected)
    {
        int[] ids = [300, 301, 302, .. Bytes(" and more that nobody reads")];
        (List<TextDelta> deltas, TextGeneration text, ListGeneration source) = await ReadAsync(
            ids, FinishReason.Length, new TextOptions { StopStrings = ["never", "ld"], IncludeStop = include });

        Assert.Equal(expected, string.Concat(deltas.Select(d => d.Text)));
        Assert.Equal(FinishReason.Stop, deltas[^1].FinishReason);
        Assert.Equal("ld", text.MatchedStopString);
        Assert.Equal(3, text.CompletionTokens);
        Assert.Equal(3, source.Read);
        Assert.Equal(1, source.Disposals);
        Assert.True(source.IsComplete);
    }

    [Fact]
    public async Task Text_that_may_become_a_stop_string_is_held_back_and_released_when_it_does_not()
    {
        (List<TextDelta> deltas, _, _) = await ReadAsync(
            Bytes("xENxEND!"), FinishReason.Length, new TextOptions { StopStrings = ["ENDE"] });
        Assert.Equal(["x", "", "", "ENx", "", "", "", "END!"], deltas.Select(d => d.Text));
        Assert.Equal(FinishReason.Length, deltas[^1].FinishReason);
    }

    [Fact]
    public async Task Held_back_text_is_released_at_the_end()
    {
        (List<TextDelta> deltas, _, _) = await ReadAsync(Bytes("abEN"), FinishReason.Length, new TextOptions { StopStrings = ["END"] });
        Assert.Equal("abEN", string.Concat(deltas.Select(d => d.Text)));
    }

    [Fact]
    public async Task A_stop_string_within_a_token_cuts_it()
    {
        (List<TextDelta> deltas, TextGeneration text, _) = await ReadAsync(
            [300, 303], FinishReason.Length, new TextOptions { StopStrings = ["OP"] });
        Assert.Equal("helloST", string.Concat(deltas.Select(d => d.Text)));
        Assert.Equal("OP", text.MatchedStopString);
    }

    [Fact]
    public async Task A_stop_string_does_not_count_within_the_least_tokens()
    {
        (List<TextDelta> deltas, TextGeneration text, _) = await ReadAsync(
            Bytes("a.b.c.d"), FinishReason.Length, new TextOptions { StopStrings = ["."] }, minTokens: 4);
        Assert.Equal("a.b.c", string.Concat(deltas.Select(d => d.Text)));
        Assert.Equal(6, text.CompletionTokens);
    }

    [Fact]
    public async Task Log_probabilities_come_with_text_and_bytes()
    {
        var token = new GeneratedToken(300, FinishReason.Length, -0.5f, [new TokenLogprob(300, -0.5f), new TokenLogprob(0xC3, -2f)]);
        await using var text = new TextGeneration(new ListGeneration([token]), Tokenizer, new TextOptions());
        TextResult result = await text.ReadToEndAsync();

        OutputToken output = Assert.Single(result.Tokens);
        Assert.Equal(("hello", -0.5f), (output.Text, output.Logprob!.Value));
        Assert.Equal("hello"u8.ToArray(), output.Bytes);
        Assert.Equal(["hello", "\uFFFD"], output.Top!.Select(t => t.Text));
        Assert.Equal([0xC3], output.Top![1].Bytes);
        Assert.Equal((3, 2, 1), (text.PromptTokens, text.CachedTokens, text.CompletionTokens));
    }

    [Fact]
    public async Task An_answer_is_read_once()
    {
        await using var text = new TextGeneration(
            new ListGeneration(ListGeneration.Tokens([1], FinishReason.Length)), Tokenizer, new TextOptions());
        await text.ReadToEndAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(() => text.ReadToEndAsync().AsTask());
    }

    [Fact]
    public void An_empty_stop_string_is_refused() => Assert.Throws<ArgumentException>(
        () => new TextGeneration(new ListGeneration([]), Tokenizer, new TextOptions { StopStrings = ["a", ""] }));

    private static int[] Bytes(string text) => Tokenizer.Encode(text);

    private static async Task<(List<TextDelta> Deltas, TextGeneration Text, ListGeneration Source)> ReadAsync(
        IEnumerable<int> ids, FinishReason reason, TextOptions options, int minTokens = 0)
    {
        var source = new ListGeneration(ListGeneration.Tokens(ids, reason), minTokens);
        var text = new TextGeneration(source, Tokenizer, options);
        List<TextDelta> deltas = [];
        await foreach (TextDelta delta in text.ReadAllAsync())
        {
            deltas.Add(delta);
        }

        return (deltas, text, source);
    }
}
