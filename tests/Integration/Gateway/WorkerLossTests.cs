using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Gateway;

/// <summary>A cluster of separate processes that share a Redis, and lose some of each other.</summary>
public sealed class WorkerLossTests : IAsyncLifetime
{
    private const string Model = "tiny";

    private readonly TempDirectory _directory = new("loss");
    private readonly Dictionary<string, LlmcProcess> _workers = [];
    private RedisServer? _redis;
    private LlmcProcess? _gateway;
    private HttpClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        string model = _directory.Combine(Model);
        RandomCheckpoint.Write(ModelArchitecture.Llama, ModelPreset.Tiny, seed: 5, model);
        _redis = await RedisServer.StartAsync();
        foreach ((string id, string role) in new[] { ("prefill-1", "prefill"), ("prefill-2", "prefill"), ("decode-1", "decode") })
        {
            _workers[id] = new LlmcProcess(["worker", "--role", role, "--id", id, "--model", model, "--threads", "1", "--redis", _redis.Url]);
        }

        _gateway = new LlmcProcess(["gateway", "--model", model, "--port", "0", "--redis", _redis.Url, "--placement", "round-robin"]);
        await Task.WhenAll(_workers.Values.Select(w => w.WaitForReadyAsync()));
        _client = new HttpClient { BaseAddress = await _gateway.WaitForReadyAsync() };
        await Eventually.TrueAsync(async () => (await _client.GetFromJsonAsync<JsonElement>("/internal/workers")).GetProperty("workers").GetArrayLength() == 3);
    }

    public async ValueTask DisposeAsync()
    {
        _client?.Dispose();
        foreach (LlmcProcess? process in new[] { _gateway }.Concat(_workers.Values))
        {
            if (process is not null)
            {
                await process.DisposeAsync();
            }
        }

        if (_redis is not null)
        {
            await _redis.DisposeAsync();
        }

        _directory.Dispose();
    }

    [Fact]
    public async Task A_prefill_worker_that_is_killed_is_replaced_unnoticed()
    {
        string[] before = await CompleteAllAsync();

        // The registry lists it until its lease ends, so requests are still placed there.
        await _workers["prefill-1"].KillAsync();
        string[] after = await CompleteAllAsync();

        Assert.Equal(before, after);
        Assert.Contains("goes to prefill-2", _gateway!.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_decode_worker_that_is_killed_in_the_middle_of_a_stream_is_told()
    {
        using HttpRequestMessage request = Request(new { model = Model, prompt = "The sea", max_tokens = 4000, ignore_eos = true, stream = true });
        using HttpResponseMessage response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        Assert.StartsWith("data: {\"id\"", await reader.ReadLineAsync(), StringComparison.Ordinal);
        await _workers["decode-1"].KillAsync();

        string rest = await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(30));
        using HttpResponseMessage next = await _client.SendAsync(Request(new { model = Model, prompt = "The sea" }));

        Assert.DoesNotContain("[DONE]", rest, StringComparison.Ordinal);
        Assert.Contains("data: {\"error\":{\"message\":\"Worker decode-1 was lost", rest, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, next.StatusCode);
        Assert.Contains("decode-1", (await GatewayHost.ErrorAsync(next)).GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_requests_id_is_in_the_logs_of_gateway_and_workers()
    {
        using HttpRequestMessage request = Request(new { model = Model, prompt = "x", max_tokens = 2 });
        request.Headers.Add("x-request-id", "find-me-5");
        using HttpResponseMessage response = await _client.SendAsync(request);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        await Eventually.TrueAsync(() => HasLine(_gateway!, "/v1/completions ended with status 200"));
        await Eventually.TrueAsync(() => HasLine(_workers["prefill-1"], "handed over") || HasLine(_workers["prefill-2"], "handed over"));

        static bool HasLine(LlmcProcess process, string text) => process.Log.Split('\n').Any(line =>
            line.Contains(text, StringComparison.Ordinal) && line.Contains("RequestId:find-me-5", StringComparison.Ordinal));
    }

    private async Task<string[]> CompleteAllAsync() => await Task.WhenAll(Enumerable.Range(0, 16).Select(async i =>
    {
        using HttpRequestMessage request = Request(new { model = Model, prompt = $"{i}: The sea is", max_tokens = 24, seed = i, n = 1 + (i % 3), ignore_eos = true });
        using HttpResponseMessage response = await _client.SendAsync(request);
        JsonElement answer = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.True(response.IsSuccessStatusCode, answer.GetRawText());
        return string.Join('|', answer.GetProperty("choices").EnumerateArray().Select(c => c.GetProperty("text").GetString()));
    }));

    private static HttpRequestMessage Request(object body) => new(HttpMethod.Post, "/v1/completions") { Content = JsonContent.Create(body) };
}
