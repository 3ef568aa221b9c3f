using System.Net;
using System.Text.Json.Nodes;
using LlmCluster.Cluster;
using LlmCluster.Cluster.Redis;
using LlmCluster.Cluster.Reservations;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Coordination;

/// <summary>Two gateways that know of each other only through Redis.</summary>
public sealed class TwoGatewayTests
{
    private const string Key = "sk-burst";
    private const int KvBlocks = 24;

    [Fact]
    public async Task A_burst_through_both_never_reserves_more_than_a_worker_has()
    {
        using TempDirectory model = await RandomModelAsync();
        await using CoordinatedCluster cluster = await CoordinatedCluster.StartAsync(model.Path, upArguments: ["--set", $"Worker:KvBlocks={KvBlocks}"]);
        await using RedisClusterState state = await RedisClusterState.ConnectAsync(new RedisOptions { Url = cluster.Redis.Url });
        using var deadline = new CancellationTokenSource(CoordinatedCluster.Deadline);

        long most = 0;
        using var ended = new CancellationTokenSource();
        Task watching = Task.Run(async () =>
        {
            while (!ended.IsCancellationRequested)
            {
                foreach (ReservedRoom room in (await state.Reservations.GetReservedAsync()).Values)
                {
                    most = Math.Max(most, room.Blocks);
                    Assert.InRange(room.Blocks, 0, KvBlocks);
                }
            }
        });
        HttpStatusCode[] answers = await Task.WhenAll(Enumerable.Range(0, 80).Select(async i =>
        {
            (HttpStatusCode status, _, HttpResponseMessage response) = await cluster.PostAsync(i % 2, "/v1/completions", Request(cluster, i), deadline.Token);
            response.Dispose();
            return status;
        }));
        await ended.CancelAsync();
        await watching;

        Assert.All(answers, status => Assert.Equal(HttpStatusCode.OK, status));
        Assert.True(most > KvBlocks / 2, $"The burst had no more than {most} blocks reserved: it tested nothing.");
        await Eventually.ValueAsync(() => state.Reservations.GetReservedAsync(), reserved => reserved.Count == 0);
        await cluster.WaitForIdleAsync();
    }

    [Fact]
    public async Task A_burst_through_both_never_spends_more_than_a_keys_budget()
    {
        const int PromptTokens = 5;
        const int MaxTokens = 7;
        const int Affordable = 11;
        using TempDirectory model = await RandomModelAsync();
        string keys = model.Combine("keys.json");
        await File.WriteAllTextAsync(keys, $$"""{"Keys": [{"Key": "{{Key}}", "Tenant": "t", "TokenBudget": {{((PromptTokens + MaxTokens) * Affordable) + 3}}}]}""");
        await using CoordinatedCluster cluster = await CoordinatedCluster.StartAsync(model.Path, ["--keys", keys]);
        using var deadline = new CancellationTokenSource(CoordinatedCluster.Deadline);
        (HttpStatusCode Status, JsonNode Body)[] answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(async i =>
        {
            var request = new JsonObject
            {
                ["model"] = cluster.Model,
                ["prompt"] = new JsonArray([.. Enumerable.Range(0, PromptTokens).Select(t => JsonValue.Create(((i * 7) + t) % 200))]),
                ["max_tokens"] = MaxTokens,
                ["ignore_eos"] = true,
            };
            (HttpStatusCode status, JsonNode body, HttpResponseMessage response) = await cluster.PostAsync(i % 2, "/v1/completions", request, deadline.Token, Key);
            response.Dispose();
            return (status, body);
        }));

        int served = answers.Count(answer => answer.Status == HttpStatusCode.OK);
        int spent = answers.Where(answer => answer.Status == HttpStatusCode.OK).Sum(answer => answer.Body["usage"]!["total_tokens"]!.GetValue<int>());
        Assert.Equal(Affordable, served);
        Assert.Equal((PromptTokens + MaxTokens) * Affordable, spent);
        Assert.All(answers.Where(answer => answer.Status != HttpStatusCode.OK), answer =>
        {
            Assert.Equal(HttpStatusCode.TooManyRequests, answer.Status);
            Assert.Equal("insufficient_quota", answer.Body["error"]!["code"]!.GetValue<string>());
        });
    }

    [Fact]
    public async Task What_one_gateway_had_computed_the_other_finds()
    {
        using TempDirectory model = await RandomModelAsync();
        await using CoordinatedCluster cluster = await CoordinatedCluster.StartAsync(model.Path);
        using var deadline = new CancellationTokenSource(CoordinatedCluster.Deadline);
        JsonObject request = Request(cluster, seed: 3, length: 200);
        await cluster.AskAsync(0, "/v1/completions", request, deadline.Token);
        await Eventually.TrueAsync(async () =>
        {
            JsonNode answer = await cluster.AskAsync(1, "/v1/completions", (JsonObject)request.DeepClone(), deadline.Token);
            return answer["usage"]!["prompt_tokens_details"]!["cached_tokens"]!.GetValue<int>() == 192;
        });
    }

    [Fact]
    public async Task A_debug_header_shows_why_a_request_runs_where_it_does()
    {
        using TempDirectory model = await RandomModelAsync();
        await using CoordinatedCluster cluster = await CoordinatedCluster.StartAsync(model.Path);
        using var deadline = new CancellationTokenSource(CoordinatedCluster.Deadline);
        (_, _, HttpResponseMessage response) = await cluster.PostAsync(1, "/v1/completions", Request(cluster, seed: 1), deadline.Token);
        using (response)
        {
            Assert.Contains("decode-", Assert.Single(response.Headers.GetValues("x-llmc-placement")), StringComparison.Ordinal);
        }
    }

    private static JsonObject Request(CoordinatedCluster cluster, int seed, int length = 60) => new()
    {
        ["model"] = cluster.Model,
        ["prompt"] = new JsonArray([.. Enumerable.Range(0, length).Select(t => JsonValue.Create(((seed * 131) + (t * 17)) % 200))]),
        ["max_tokens"] = 40,
        ["ignore_eos"] = true,
        ["seed"] = seed,
    };

    private static async Task<TempDirectory> RandomModelAsync()
    {
        var directory = new TempDirectory("model");
        (int exitCode, string log) = await LlmcProcess.RunAsync(["model", "random", "--arch", "qwen3", "--preset", "tiny", "--seed", "3", "--out", directory.Path, "--force"]);
        Assert.True(exitCode == 0, log);
        return directory;
    }
}
