using System.Net.Http.Json;
using System.Text.Json.Nodes;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Equality;

/// <summary>
/// The promise that this project stands on: what a disaggregated cluster answers under load equals, to the bit, what
/// one mixed worker answers to the same requests one by one. Separate processes, real Redis.
/// </summary>
public sealed class DisaggregationEqualityTests
{
    private const int Requests = 220;
    private const int QuantizedRequests = 40;
    private const int Concurrency = 16;
    private const string Model = "equality";
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(5);

    [Fact]
    public async Task Disaggregated_answers_equal_those_of_one_mixed_worker_one_by_one()
    {
        using var checkpoint = new TempDirectory("equality");
        (int exitCode, string log) = await LlmcProcess.RunAsync(
            ["model", "random", "--arch", "qwen3", "--preset", "tiny", "--seed", "11", "--out", checkpoint.Path, "--force"]);
        Assert.True(exitCode == 0, log);

        IReadOnlyList<JsonObject> workload = Workload.Create(Model, Requests, seed: 5);
        string[] expected = await AnswerAsync(checkpoint, workload, concurrency: 1, "--prefill", "0", "--decode", "0", "--mixed", "1");
        Assert.Equal(Requests, expected.Length);

        // In turn: every prompt is handed over.
        string[] oneAndOne = await AnswerAsync(checkpoint, workload, Concurrency, "--prefill", "1", "--decode", "1", "--mixed", "0", "--placement", "round-robin");
        AssertEqual(workload, expected, oneAndOne);

        // By cost: some are handed over, some are computed where they decode, some have blocks fetched.
        string[] twoAndTwo = await AnswerAsync(checkpoint, workload, Concurrency, "--prefill", "2", "--decode", "2", "--mixed", "0");
        AssertEqual(workload, expected, twoAndTwo);
    }

    [Theory]
    [InlineData("--quantize", "q8")]
    [InlineData("--quantize", "q4")]
    [InlineData("--kv-dtype", "int8")]
    public async Task So_they_do_in_fewer_bits(string option, string format)
    {
        using var checkpoint = new TempDirectory("equality");
        (int exitCode, string log) = await LlmcProcess.RunAsync(
            ["model", "random", "--arch", "qwen3", "--preset", "tiny", "--seed", "11", "--out", checkpoint.Path, "--force"]);
        Assert.True(exitCode == 0, log);

        IReadOnlyList<JsonObject> workload = Workload.Create(Model, QuantizedRequests, seed: 6);
        string[] expected = await AnswerAsync(checkpoint, workload, concurrency: 1, "--mixed", "1", option, format);
        string[] oneAndOne = await AnswerAsync(checkpoint, workload, Concurrency, "--prefill", "1", "--decode", "1", "--placement", "round-robin", option, format);
        AssertEqual(workload, expected, oneAndOne);
    }

    [Theory]
    [InlineData("q8")]
    [InlineData("q4")]
    public async Task A_quantised_checkpoint_answers_as_its_source_does_in_that_format(string format)
    {
        using var checkpoint = new TempDirectory("equality");
        using var quantized = new TempDirectory("equality");
        (int exitCode, string log) = await LlmcProcess.RunAsync(
            ["model", "random", "--arch", "qwen2", "--preset", "tiny", "--seed", "11", "--out", checkpoint.Path, "--force"]);
        Assert.True(exitCode == 0, log);
        (exitCode, log) = await LlmcProcess.RunAsync(["model", "quantize", checkpoint.Path, "--to", format, "--out", quantized.Path]);
        Assert.True(exitCode == 0, log);

        IReadOnlyList<JsonObject> workload = Workload.Create(Model, QuantizedRequests, seed: 7);
        string[] expected = await AnswerAsync(checkpoint, workload, concurrency: 1, "--mixed", "1", "--quantize", format);
        string[] oneAndOne = await AnswerAsync(quantized, workload, Concurrency, "--prefill", "1", "--decode", "1", "--placement", "round-robin");
        AssertEqual(workload, expected, oneAndOne);
    }

    private static async Task<string[]> AnswerAsync(
        TempDirectory checkpoint, IReadOnlyList<JsonObject> workload, int concurrency, params string[] workers)
    {
        await using RedisServer redis = await RedisServer.StartAsync();
        (LlmcProcess process, Uri address) = await LlmcProcess.StartReadyAsync(
            ["up", "--model", checkpoint.Path, "--served-model-name", Model, "--redis", redis.Url, "--port", "0", .. workers]);
        await using (process)
        {
            using var client = new HttpClient { BaseAddress = address, Timeout = Deadline };
            var answers = new string[workload.Count];
            using var deadline = new CancellationTokenSource(Deadline);
            await Parallel.ForAsync(
                0,
                workload.Count,
                new ParallelOptions { MaxDegreeOfParallelism = concurrency, CancellationToken = deadline.Token },
                async (i, token) => answers[i] = await AskAsync(client, workload[i], token));

            await Eventually.ValueAsync(() => ReferencedBlocksAsync(client), referenced => referenced == 0);
            return answers;
        }
    }

    private static async Task<string> AskAsync(HttpClient client, JsonObject request, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await client.PostAsJsonAsync("/v1/completions", request, cancellationToken);
        string body = await response.Content.ReadAsStringAsync(cancellationToken);
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode}: {body}");

        // Identity, time and the share of cached tokens differ from run to run; all the rest may not.
        JsonArray choices = JsonNode.Parse(body)!["choices"]!.AsArray();
        Assert.All(choices, choice => Assert.NotEmpty(choice!["token_ids"]!.AsArray()));
        return choices.ToJsonString();
    }

    private static async ValueTask<int?> ReferencedBlocksAsync(HttpClient client)
    {
        JsonNode status = JsonNode.Parse(await client.GetStringAsync("/internal/workers"))!;
        int?[] referenced = [.. status["workers"]!.AsArray().Select(w => w!["live"]?["kv_blocks"]!["referenced"]!.GetValue<int>())];
        return referenced.Contains(null) ? null : referenced.Sum();
    }

    private static void AssertEqual(IReadOnlyList<JsonObject> workload, string[] expected, string[] actual)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            if (expected[i] != actual[i])
            {
                JsonObject request = workload[i].DeepClone().AsObject();
                int length = request["prompt"]!.AsArray().Count;
                request["prompt"] = $"{length} tokens";
                Assert.Fail($"Request {i} {request.ToJsonString()}\nexpected {expected[i]}\nactual   {actual[i]}");
            }
        }
    }
}
