using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using LlmCluster.Cluster.Redis;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Coordination;

/// <summary>Redis dies under load and comes back with nothing in it.</summary>
public sealed class RedisLossTests
{
    private const int Clients = 6;
    private const int KnownPrompts = 8;
    private static readonly TimeSpan Away = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Recovery = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task Requests_go_on_and_prefixes_are_found_again()
    {
        using var model = new TempDirectory("model");
        (int exitCode, string log) = await LlmcProcess.RunAsync(["model", "random", "--arch", "qwen3", "--preset", "tiny", "--seed", "3", "--out", model.Path, "--force"]);
        Assert.True(exitCode == 0, log);

        // Placement by what the directory says alone: by cost, a worker that was slow once may be passed over, whatever it holds.
        await using CoordinatedCluster cluster = await CoordinatedCluster.StartAsync(model.Path, ["--placement", "prefix-affinity"]);
        using var deadline = new CancellationTokenSource(CoordinatedCluster.Deadline);
        using var stop = new CancellationTokenSource();

        var answers = new ConcurrentQueue<(HttpStatusCode Status, JsonNode Body)>();
        Task[] load = [.. Enumerable.Range(0, Clients).Select(client => Task.Run(async () =>
        {
            for (int i = 0; !stop.IsCancellationRequested; i++)
            {
                (HttpStatusCode status, JsonNode body, HttpResponseMessage response) =
                    await cluster.PostAsync(i % 2, "/v1/completions", Request(cluster, (client * 1000) + i), deadline.Token);
                response.Dispose();
                answers.Enqueue((status, body));
            }
        }))];

        // Prompts that some workers hold before Redis is lost.
        JsonObject[] known = [.. Enumerable.Range(0, KnownPrompts).Select(i => Request(cluster, 777_777 + i, length: 400))];
        foreach (JsonObject request in known)
        {
            await AskAsync(cluster, request, deadline.Token);
        }

        await Eventually.TrueAsync(() => answers.Count > 4 * Clients);

        await cluster.Redis.KillAsync();
        int before = answers.Count;
        await Task.Delay(Away, deadline.Token);
        await Eventually.TrueAsync(() => answers.Count > before + Clients, state: () => cluster.Log);
        await cluster.Redis.RestartAsync();

        // What workers held all the time is found again by gateways whose directory was empty. Each prompt is asked for once: only those that held it answer so.
        var back = Stopwatch.StartNew();
        await using (RedisClusterState state = await RedisClusterState.ConnectAsync(new RedisOptions { Url = cluster.Redis.Url }))
        {
            await Eventually.ValueAsync(() => state.Directory.GetUseAsync(), use => use.Workers == 4 && use.Entries >= KnownPrompts * 25, Recovery);
        }

        // Gateways try a lost state once a second; whether they found it, placements of a prompt that was asked for before tell.
        await Eventually.TrueAsync(async () =>
        {
            (_, _, string placement) = await AskAsync(cluster, Request(cluster, 555_512, length: 300), deadline.Token);
            return placement.Contains("holds 288 prompt tokens", StringComparison.Ordinal);
        });

        foreach (JsonObject request in known)
        {
            (HttpStatusCode status, JsonNode body, string placement) = await AskAsync(cluster, request, deadline.Token);
            Assert.True(status == HttpStatusCode.OK, $"{(int)status}: {body}");
            int cached = body["usage"]!["prompt_tokens_details"]!["cached_tokens"]!.GetValue<int>();
            Assert.True(cached == 384, $"{cached} tokens were cached: {placement}");
        }

        Assert.True(back.Elapsed < Recovery, $"It took {back.Elapsed}.\n{cluster.Log}");

        int recovered = answers.Count;
        await Eventually.TrueAsync(() => answers.Count > recovered + (4 * Clients));
        await stop.CancelAsync();
        await Task.WhenAll(load);

        Assert.All(answers, answer =>
        {
            bool refused = answer.Status is HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests;
            Assert.True(answer.Status == HttpStatusCode.OK || refused, $"{(int)answer.Status}: {answer.Body}");
            Assert.True(!refused || answer.Body["error"]!["message"]!.GetValue<string>().Length > 0);
        });
        Assert.True(answers.Count(answer => answer.Status == HttpStatusCode.OK) > answers.Count * 0.9, $"Only {answers.Count(a => a.Status == HttpStatusCode.OK)} of {answers.Count} were served.");
        await cluster.WaitForIdleAsync();
    }

    private static async Task<(HttpStatusCode Status, JsonNode Body, string Placement)> AskAsync(CoordinatedCluster cluster, JsonObject request, CancellationToken cancellationToken)
    {
        (HttpStatusCode status, JsonNode body, HttpResponseMessage response) =
            await cluster.PostAsync(1, "/v1/completions", (JsonObject)request.DeepClone(), cancellationToken);
        string placement = response.Headers.TryGetValues("x-llmc-placement", out IEnumerable<string>? values) ? string.Concat(values) : "";
        response.Dispose();
        return (status, body, placement);
    }

    private static JsonObject Request(CoordinatedCluster cluster, int seed, int length = 50) => new()
    {
        ["model"] = cluster.Model,
        ["prompt"] = new JsonArray([.. Enumerable.Range(0, length).Select(t => JsonValue.Create(((seed * 131L) + (t * 17L)) % 200))]),
        ["max_tokens"] = 8,
        ["ignore_eos"] = true,
    };
}
