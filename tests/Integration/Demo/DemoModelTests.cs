using System.Net.Http.Json;
using System.Text.Json.Nodes;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Demo;

/// <summary>
/// The model that ships with the project, on a prefill and a decode worker in processes of their own: its answers depend
/// on single facts far back in the context, so a KV block that is wrong, missing or another conversation's shows at once.
/// </summary>
public sealed class DemoModelTests
{
    private const int Rounds = 100;
    private const int Concurrency = 16;
    private const string Question = "What is the code of the red box?";

    // More than a dozen blocks that both conversations have in common.
    private const string SharedNotes =
        "Notes: The code of the blue lamp is 3517. Marolia lives in Tavoburg. The code of the green door is 8260. Benira is in room 614. "
        + "The black coat belongs to Sadiko. The code of the yellow bag is 1938. Lotathria works as a teacher. The white bell has the code 7405. "
        + "Renavin carries the orange cup. The code of the gray boat is 2653. Domidan lives in Kasaport. The code of the pink hat is 9471. "
        + "Vilara's favorite fruit is plum. The silver key belongs to Tonirin. The code of the brown chair is 5092. Hetamith is in room 377. ";

    private static readonly string[] Codes = ["4821", "6139"];
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task Conversations_with_a_long_common_prefix_get_each_its_own_answer()
    {
        await using RedisServer redis = await RedisServer.StartAsync();
        (LlmcProcess process, Uri address) = await LlmcProcess.StartReadyAsync(
            ["up", "--redis", redis.Url, "--port", "0", "--prefill", "1", "--decode", "1", "--mixed", "0", "--placement", "round-robin"]);
        await using (process)
        {
            using var client = new HttpClient { BaseAddress = address, Timeout = Deadline };
            using var deadline = new CancellationTokenSource(Deadline);
            string model = await ModelAsync(client, deadline.Token);
            Assert.Equal("pebble", model);

            int cached = 0;
            await Parallel.ForAsync(
                0,
                Rounds * Codes.Length,
                new ParallelOptions { MaxDegreeOfParallelism = Concurrency, CancellationToken = deadline.Token },
                async (i, token) =>
                {
                    string code = Codes[i % Codes.Length];
                    (string answer, int cachedTokens) = await AskAsync(client, model, code, token);
                    Assert.Equal(code, answer);
                    Interlocked.Add(ref cached, cachedTokens);
                });

            // Of the first conversations at most as many as run at once find nothing in the prefix cache.
            Assert.True(cached > (Rounds * Codes.Length - Concurrency) * 128, $"Only {cached} prompt tokens came from the prefix cache.");
            await Eventually.ValueAsync(() => ReferencedBlocksAsync(client), referenced => referenced == 0);
        }
    }

    private static async Task<string> ModelAsync(HttpClient client, CancellationToken cancellationToken)
    {
        JsonNode models = (await client.GetFromJsonAsync<JsonNode>("/v1/models", cancellationToken))!;
        return models["data"]![0]!["id"]!.GetValue<string>();
    }

    private static async Task<(string Answer, int CachedTokens)> AskAsync(HttpClient client, string model, string code, CancellationToken cancellationToken)
    {
        var request = new JsonObject
        {
            ["model"] = model,
            ["temperature"] = 0,
            ["max_tokens"] = 16,
            ["messages"] = new JsonArray(
                new JsonObject { ["role"] = "system", ["content"] = $"{SharedNotes}The code of the red box is {code}. Lomaria lives in Besiton." },
                new JsonObject { ["role"] = "user", ["content"] = Question }),
        };
        using HttpResponseMessage response = await client.PostAsJsonAsync("/v1/chat/completions", request, cancellationToken);
        string body = await response.Content.ReadAsStringAsync(cancellationToken);
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode}: {body}");
        JsonNode answer = JsonNode.Parse(body)!;
        return (
            answer["choices"]![0]!["message"]!["content"]!.GetValue<string>(),
            answer["usage"]!["prompt_tokens_details"]!["cached_tokens"]!.GetValue<int>());
    }

    private static async ValueTask<int?> ReferencedBlocksAsync(HttpClient client)
    {
        JsonNode status = JsonNode.Parse(await client.GetStringAsync("/internal/workers"))!;
        int?[] referenced = [.. status["workers"]!.AsArray().Select(w => w!["live"]?["kv_blocks"]!["referenced"]!.GetValue<int>())];
        return referenced.Contains(null) ? null : referenced.Sum();
    }
}
