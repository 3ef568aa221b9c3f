using System.Text.Json.Nodes;
using Xunit;

namespace LlmCluster.Tests.Integration.Coordination;

/// <summary>
/// Conversations of several turns, each turn by another gateway than the one before: what a turn has in common with earlier ones need not be computed again, wherever in
/// the cluster its K/V lies.
/// </summary>
public sealed class ConversationTests
{
    private const int Conversations = 8;
    private const int Turns = 6;
    private const int SideBySide = 2;
    private const int BlockSize = 16;
    private static readonly string[] Names = ["Marolia", "Benira", "Sadiko", "Renavin", "Domidan", "Vilara", "Tonirin", "Hetamith"];
    private static readonly string[] Things = ["lamp", "door", "bag", "bell", "boat", "hat"];

    [Fact]
    public async Task Nine_tenths_of_what_can_be_reused_is_and_usage_says_so()
    {
        await using CoordinatedCluster cluster = await CoordinatedCluster.StartAsync();
        using var deadline = new CancellationTokenSource(CoordinatedCluster.Deadline);
        var seen = new SeenPrefixes();
        int ideal = 0;
        int cached = 0;
        JsonArray[] conversations = [.. Enumerable.Range(0, Conversations).Select(Begin)];
        for (int turn = 0; turn < Turns; turn++)
        {
            // What could be reused is settled before the turn; within it, some conversations run side by side.
            int[][] prompts = new int[Conversations][];
            for (int i = 0; i < Conversations; i++)
            {
                conversations[i].Add(new JsonObject { ["role"] = "user", ["content"] = $"What is the code of the {Things[(turn + i) % Things.Length]}?" });
                prompts[i] = await TokenizeAsync(cluster, conversations[i], deadline.Token);
            }

            int[] reusable = Array.ConvertAll(prompts, seen.CountReusable);
            var sideBySide = new ParallelOptions { MaxDegreeOfParallelism = SideBySide, CancellationToken = deadline.Token };
            await Parallel.ForAsync(0, Conversations, sideBySide, async (i, _) =>
            {
                var request = new JsonObject
                {
                    ["model"] = cluster.Model,
                    ["messages"] = conversations[i].DeepClone(),
                    ["max_tokens"] = 48,
                    ["ignore_eos"] = true,
                    ["temperature"] = 0,
                    ["return_token_ids"] = true,
                };
                JsonNode answer = await cluster.AskAsync((turn + i) % 2, "/v1/chat/completions", request, deadline.Token);
                JsonNode usage = answer["usage"]!;
                int reused = usage["prompt_tokens_details"]!["cached_tokens"]!.GetValue<int>();
                Assert.Equal(prompts[i].Length, usage["prompt_tokens"]!.GetValue<int>());
                Assert.InRange(reused, 0, prompts[i].Length - 1);
                Assert.Equal(0, reused % BlockSize);

                // Those that run side by side share their beginning, and may find it computed a moment ago.
                Interlocked.Add(ref cached, Math.Min(reused, reusable[i]));
                Interlocked.Add(ref ideal, reusable[i]);
                int[] tokens = [.. answer["choices"]![0]!["token_ids"]!.AsArray().Select(t => t!.GetValue<int>())];
                lock (seen)
                {
                    seen.Add([.. prompts[i], .. tokens[..^1]]);
                }

                conversations[i].Add(new JsonObject { ["role"] = "assistant", ["content"] = answer["choices"]![0]!["message"]!["content"]!.GetValue<string>() });
            });
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{cached} of {ideal} prompt tokens that could be reused were.");
        Assert.True(ideal > 0);
        Assert.True(cached >= 0.9 * ideal, $"{cached} of {ideal} prompt tokens that could be reused were.\n{cluster.Log}");
        await cluster.WaitForIdleAsync();
    }

    private static JsonArray Begin(int conversation) => new(new JsonObject
    {
        ["role"] = "system",
        ["content"] = "Notes: " + string.Concat(Things.Select((thing, i) => $"The code of the {thing} is {1000 + (conversation * 617) + (i * 89)}. {Names[(conversation + i) % Names.Length]} has it. ")),
    });

    private static async Task<int[]> TokenizeAsync(CoordinatedCluster cluster, JsonArray messages, CancellationToken cancellationToken)
    {
        JsonNode tokens = await cluster.AskAsync(0, "/tokenize", new JsonObject { ["messages"] = messages.DeepClone() }, cancellationToken);
        return [.. tokens["tokens"]!.AsArray().Select(t => t!.GetValue<int>())];
    }

    /// <summary>One cache that sees every request and forgets nothing: the most that could be reused.</summary>
    private sealed class SeenPrefixes
    {
        private readonly HashSet<string> _blocks = [];

        public void Add(int[] tokens)
        {
            for (int end = BlockSize; end <= tokens.Length; end += BlockSize)
            {
                _blocks.Add(Key(tokens, end));
            }
        }

        public int CountReusable(int[] prompt)
        {
            int end = 0;
            while (end + BlockSize < prompt.Length && _blocks.Contains(Key(prompt, end + BlockSize)))
            {
                end += BlockSize;
            }

            return end;
        }

        private static string Key(int[] tokens, int end) => string.Join(',', tokens[..end]);
    }
}
