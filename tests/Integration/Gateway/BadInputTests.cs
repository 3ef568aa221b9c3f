using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Gateway;

/// <summary>Whatever clients do to a running cluster, they get a clear answer, and no KV block stays taken.</summary>
public abstract class BadInputTests(BadInputTests.ClusterFixture fixture)
{
    private const int LongAnswer = 3000;

    private readonly TinyCluster _cluster = fixture.Cluster;

    public static TheoryData<string, string, int, string?, string> BadRequests => new()
    {
        { "/v1/completions", """{"model": "tiny", "prompt": "x" """, 400, null, "not valid JSON" },
        { "/v1/completions", "nonsense", 400, null, "line 1, byte 2" },
        { "/v1/chat/completions", """{"model": "tiny", "messages": [{"role": "user", "content": 7}]}""", 400, "messages.0.content", "expected a string or an array of content parts, but got a number" },
        { "/v1/completions", """{"model": "tiny", "prompt": {"text": "x"}}""", 400, "prompt", "but got an object" },
        { "/v1/completions", """{"model": "tiny", "prompt": "x", "stream": "true"}""", 400, "stream", "expected a boolean, but got a string" },
        { "/v1/completions", """{"model": "other", "prompt": "x"}""", 404, "model", "'other' does not exist" },
        { "/v1/completions", """{"model": "tiny", "prompt": "x", "max_tokens": -1}""", 400, "max_tokens", "-1 is below the minimum of 1" },
        { "/v1/chat/completions", """{"model": "tiny", "messages": [{"role": "user", "content": "x"}], "max_completion_tokens": -7, "stream": true}""", 400, "max_completion_tokens", "-7 is below the minimum of 1" },
        { "/v1/completions", $$"""{"model": "tiny", "prompt": [{{Tokens(4096)}}]}""", 400, "prompt", "context length is 4096 tokens, answer included, but the prompt has 4096 tokens" },
        { "/v1/chat/completions", $$"""{"model": "tiny", "messages": [{"role": "user", "content": "{{new string('ä', 9000)}}"}]}""", 400, "messages", "context length is 4096 tokens" },
        { "/v1/completions", $$"""{"model": "tiny", "prompt": "{{new string('x', 10 << 20)}}"}""", 413, null, "longer than the 8388608 bytes" },
        { "/v1/completions", """{"model": "tiny", "prompt": [512]}""", 400, "prompt.0", "512 is above the maximum of 511" },
    };

    [Fact]
    public async Task Bad_requests_are_refused_and_leave_nothing_behind()
    {
        string before = await CompleteAsync();
        foreach ((string path, string body, int status, string? param, string message) in BadRequests.Select(row => row.Data))
        {
            using HttpResponseMessage response = await _cluster.Client.PostAsync(path, new StringContent(body, Encoding.UTF8, "application/json"));

            Assert.Equal(status, (int)response.StatusCode);
            JsonElement error = await GatewayHost.ErrorAsync(response);
            Assert.Equal(param, error.GetProperty("param").GetString());
            Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
            Assert.Contains(message, error.GetProperty("message").GetString(), StringComparison.Ordinal);
        }

        await _cluster.WaitForIdleAsync();
        Assert.Equal(before, await CompleteAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_vanishes_while_tokens_come_leaves_nothing_behind(bool stream)
    {
        string before = await CompleteAsync();
        for (int i = 0; i < 3; i++)
        {
            using var hangUp = new CancellationTokenSource();
            using HttpRequestMessage request = Request(new { model = TinyCluster.Model, prompt = $"Story {i}", n = 4, max_tokens = LongAnswer, ignore_eos = true, stream });
            Task<HttpResponseMessage> response = _cluster.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, hangUp.Token);
            if (stream)
            {
                await using Stream body = await (await response).Content.ReadAsStreamAsync();
                Assert.True(await body.ReadAsync(new byte[1]) > 0);
            }
            else
            {
                await Eventually.TrueAsync(async () => (await _cluster.GetWorkersAsync()).Any(IsGenerating));
            }

            await hangUp.CancelAsync();
            if (!stream)
            {
                await Assert.ThrowsAnyAsync<OperationCanceledException>(() => response);
            }

            await _cluster.WaitForIdleAsync();
        }

        Assert.Equal(before, await CompleteAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Clients_that_vanish_at_any_moment_leave_nothing_behind(bool stream)
    {
        string before = await CompleteAsync();
        var random = new Random(17);
        int[] delays = [.. Enumerable.Range(0, 24).Select(_ => random.Next(60))];
        int number = 0;
        await Parallel.ForEachAsync(delays, new ParallelOptions { MaxDegreeOfParallelism = 6 }, async (delay, cancellationToken) =>
        {
            // Long prompts of their own, so that many vanish before their first token.
            int first = Interlocked.Increment(ref number);
            await VanishAsync(
                JsonSerializer.Serialize(new { model = TinyCluster.Model, prompt = Enumerable.Repeat(first, 1500).ToArray(), n = 2, max_tokens = LongAnswer, ignore_eos = true, stream }),
                TimeSpan.FromMilliseconds(delay),
                cancellationToken);
        });

        await _cluster.WaitForIdleAsync();
        Assert.Equal(before, await CompleteAsync());
    }

    [Fact]
    public async Task A_client_that_vanishes_in_the_middle_of_its_request_leaves_nothing_behind()
    {
        using (var client = new TcpClient())
        {
            await client.ConnectAsync(IPAddress.Loopback, _cluster.Address.Port);
            await client.GetStream().WriteAsync("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n{\"model\""u8.ToArray());
        }

        Assert.NotEmpty(await CompleteAsync());
        await _cluster.WaitForIdleAsync();
    }

    /// <summary>Sends a request over a connection of its own and breaks the connection off.</summary>
    private async Task VanishAsync(string body, TimeSpan after, CancellationToken cancellationToken)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _cluster.Address.Port, cancellationToken);
        client.LingerState = new LingerOption(true, 0);
        string head = string.Create(CultureInfo.InvariantCulture, $"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n");
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(head + body), cancellationToken);
        await Task.Delay(after, cancellationToken);
    }

    private async Task<string> CompleteAsync()
    {
        using HttpRequestMessage request = Request(new { model = TinyCluster.Model, prompt = "The sea is", max_tokens = 20, temperature = 0, ignore_eos = true });
        using HttpResponseMessage response = await _cluster.Client.SendAsync(request);
        JsonElement answer = await response.Content.ReadFromJsonAsync<JsonElement>();
        return answer.GetProperty("choices")[0].GetProperty("text").GetString()!;
    }

    private static HttpRequestMessage Request(object body) => new(HttpMethod.Post, "/v1/completions") { Content = JsonContent.Create(body) };

    private static bool IsGenerating(JsonElement worker) =>
        worker.GetProperty("role").GetString() != "prefill" && worker.GetProperty("live").GetProperty("running").GetInt32() > 0;

    private static string Tokens(int count) => string.Join(',', Enumerable.Repeat(5, count));

    /// <summary>The cluster that the tests of a class share.</summary>
    public abstract class ClusterFixture(params string[] arguments) : IAsyncLifetime
    {
        public TinyCluster Cluster { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Cluster = await TinyCluster.StartAsync(arguments);

        public ValueTask DisposeAsync() => Cluster?.DisposeAsync() ?? ValueTask.CompletedTask;
    }
}

/// <summary>With prefill and decode on different workers.</summary>
public sealed class DisaggregatedBadInputTests(DisaggregatedBadInputTests.Fixture fixture) : BadInputTests(fixture), IClassFixture<DisaggregatedBadInputTests.Fixture>
{
    public sealed class Fixture() : ClusterFixture("--prefill", "1", "--decode", "1");
}

/// <summary>With one worker for both.</summary>
public sealed class MixedBadInputTests(MixedBadInputTests.Fixture fixture) : BadInputTests(fixture), IClassFixture<MixedBadInputTests.Fixture>
{
    public sealed class Fixture() : ClusterFixture("--mixed", "1");
}
