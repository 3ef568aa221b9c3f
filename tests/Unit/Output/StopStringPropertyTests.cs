using System.Text;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Output;
using Xunit;

namespace LlmCluster.Tests.Unit.Output;

/// <summary>Matching over pieces equals matching over the whole text, whatever the pieces.</summary>
public class StopStringPropertyTests
{
    [Fact]
    public async Task Streamed_text_equals_the_whole_text_cut_at_the_first_stop_string()
    {
        var random = new Random(17);
        int stopped = 0;
        for (int round = 0; round < 4000; round++)
        {
            // A small alphabet, so that stop strings overlap themselves and each other.
            string[] stops = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Text(random, random.Next(1, 6)))];
            string[] words = [.. Enumerable.Range(0, random.Next(1, 20)).Select(_ => Text(random, random.Next(1, 5)))];
            bool include = random.Next(2) == 0;
            int minTokens = random.Next(3) == 0 ? random.Next(words.Length) : 0;

            await using var generation = new TextGeneration(
                new ListGeneration(
                    ListGeneration.Tokens(Enumerable.Range(ByteTokenizer.FirstWord, words.Length), FinishReason.Length), minTokens),
                new ByteTokenizer(words),
                new TextOptions { StopStrings = stops, IncludeStop = include });
            var text = new StringBuilder();
            FinishReason reason = FinishReason.None;
            await foreach (TextDelta delta in generation.ReadAllAsync())
            {
                text.Append(delta.Text);
                reason = delta.FinishReason;
            }

            (string expected, bool stops_, int tokens) = Cut(words, stops, include, minTokens);
            Assert.Equal(expected, text.ToString());
            Assert.Equal(stops_ ? FinishReason.Stop : FinishReason.Length, reason);
            Assert.Equal(tokens, generation.CompletionTokens);
            stopped += stops_ ? 1 : 0;
        }

        Assert.InRange(stopped, 1000, 3900);
    }

    // By searching the whole text for the first place at which a stop string ends.
    private static (string Text, bool Stopped, int Tokens) Cut(string[] words, string[] stops, bool include, int minTokens)
    {
        string whole = string.Concat(words);
        int allowedFrom = words.Take(minTokens).Sum(w => w.Length);
        for (int end = allowedFrom + 1; end <= whole.Length; end++)
        {
            string? stop = stops.Where(s => whole[..end].EndsWith(s, StringComparison.Ordinal)).MaxBy(s => s.Length);
            if (stop is not null)
            {
                int tokens = 0;
                for (int length = 0; length < end; tokens++)
                {
                    length += words[tokens].Length;
                }

                return (whole[..(include ? end : end - stop.Length)], true, tokens);
            }
        }

        return (whole, false, words.Length);
    }

    private static string Text(Random random, int length) =>
        string.Concat(Enumerable.Range(0, length).Select(_ => "abä"[random.Next(3)]));
}
