using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using LlmCluster.Cluster;
using Xunit;

namespace LlmCluster.Tests.Integration.Gateway;

/// <summary>What the gateway answers by itself.</summary>
public sealed class FrontTests : IAsyncLifetime
{
    private GatewayHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task Is_ready_once_a_request_can_be_placed()
    {
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("/health"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync("/ready"));
        using HttpResponseMessage refused = await _host.PostAsync("/v1/completions", """{"model": "tiny", "prompt": "x"}""");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal("No worker of model 'tiny' is there.", (await GatewayHost.ErrorAsync(refused)).GetProperty("message").GetString());

        await _host.AddAsync("prefill-1", WorkerRole.Prefill);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync("/ready"));
        ScriptedWorker decode = await _host.AddAsync("decode-1", WorkerRole.Decode);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("/ready"));

        await _host.JoinAsync(decode.Snapshot with { Status = WorkerStatus.Draining });
        await Testing.Eventually.TrueAsync(async () => await StatusAsync("/ready") == HttpStatusCode.ServiceUnavailable);
    }

    [Fact]
    public async Task Lists_workers_with_what_they_say_now()
    {
        await _host.AddAsync("prefill-1", WorkerRole.Prefill);
        ScriptedWorker gone = await _host.AddAsync("decode-1", WorkerRole.Decode);
        await gone.DisposeAsync();

        JsonElement workers = (await _host.Client.GetFromJsonAsync<JsonElement>("/internal/workers")).GetProperty("workers");

        Assert.Equal(["decode-1", "prefill-1"], workers.EnumerateArray().Select(w => w.GetProperty("id").GetString()));
        Assert.Contains(gone.Snapshot.Info.HttpEndpoint.Authority, workers[0].GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal(0, workers[1].GetProperty("live").GetProperty("blocks").GetProperty("referenced").GetInt32());
    }

    [Fact]
    public async Task Lists_its_model()
    {
        JsonElement list = await _host.Client.GetFromJsonAsync<JsonElement>("/v1/models");
        JsonElement model = await _host.Client.GetFromJsonAsync<JsonElement>("/v1/models/tiny");

        Assert.Equal(("list", 1), (list.GetProperty("object").GetString(), list.GetProperty("data").GetArrayLength()));
        Assert.Equal(("tiny", "model"), (model.GetProperty("id").GetString(), model.GetProperty("object").GetString()));
        using HttpResponseMessage other = await _host.Client.GetAsync("/v1/models/org/other");
        Assert.Equal(HttpStatusCode.NotFound, other.StatusCode);
        Assert.Equal("model_not_found", (await GatewayHost.ErrorAsync(other)).GetProperty("code").GetString());
    }

    [Fact]
    public async Task Tokenizes_and_back()
    {
        const string Text = "Hello,\n wörld 😀";
        using HttpResponseMessage there = await _host.Client.PostAsJsonAsync("/tokenize", new { model = "tiny", prompt = Text, add_special_tokens = false, return_token_strs = true });
        JsonElement tokens = await there.Content.ReadFromJsonAsync<JsonElement>();
        using HttpResponseMessage back = await _host.Client.PostAsJsonAsync("/detokenize", new { tokens = tokens.GetProperty("tokens") });

        Assert.Equal(tokens.GetProperty("count").GetInt32(), tokens.GetProperty("tokens").GetArrayLength());
        Assert.Equal(tokens.GetProperty("count").GetInt32(), tokens.GetProperty("token_strs").GetArrayLength());
        Assert.True(tokens.GetProperty("max_model_len").GetInt32() > 0);
        Assert.Equal(Text, (await back.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("prompt").GetString());
    }

    [Fact]
    public async Task Renders_conversations_with_the_models_template()
    {
        ScriptedWorker mixed = await _host.AddAsync("mixed-1", WorkerRole.Mixed);
        var messages = new[] { new { role = "system", content = "Be brief." }, new { role = "user", content = "Hi!" } };
        const string Rendered = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi!<|im_end|>\n<|im_start|>assistant\n";

        int[] chat = await TokenizeAsync(new { messages });
        int[] text = await TokenizeAsync(new { prompt = Rendered, add_special_tokens = false });
        using HttpResponseMessage response = await _host.Client.PostAsJsonAsync("/v1/chat/completions", new { model = "tiny", messages });

        Assert.Equal(text, chat);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(chat, Assert.Single(Assert.Single(mixed.Generates).Request.Local!.Prompts));
    }

    [Fact]
    public async Task Tells_when_the_template_refuses()
    {
        using HttpResponseMessage response = await _host.Client.PostAsJsonAsync(
            "/tokenize", new { messages = new[] { new { role = "user", content = "x" } }, chat_template_kwargs = new { messages = 5 } });

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("chat_template_error", (await GatewayHost.ErrorAsync(response)).GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("GET", "/v1/nothing", 404, "unknown_url")]
    [InlineData("POST", "/", 404, "unknown_url")]
    [InlineData("GET", "/v1/completions", 405, "method_not_allowed")]
    [InlineData("DELETE", "/v1/models", 405, "method_not_allowed")]
    public async Task Refuses_unknown_paths_and_methods(string method, string path, int status, string code)
    {
        using HttpResponseMessage response = await _host.Client.SendAsync(new HttpRequestMessage(new HttpMethod(method), path));

        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(code, (await GatewayHost.ErrorAsync(response)).GetProperty("code").GetString());
        Assert.NotEmpty(response.Headers.GetValues("x-request-id"));
    }

    [Theory]
    [InlineData("/v1/completions", """{"model": "tiny", "prompt": """, 400, null, "invalid_json")]
    [InlineData("/v1/completions", """{"model": "tiny", "prompt": "x", "max_tokens": -1}""", 400, "max_tokens", "below_min_value")]
    [InlineData("/v1/completions", """{"model": "gpt-4", "prompt": "x"}""", 404, "model", "model_not_found")]
    [InlineData("/v1/completions", """{"model": "tiny", "prompt": [5, 100000]}""", 400, "prompt.1", "above_max_value")]
    [InlineData("/v1/chat/completions", """{"model": "tiny", "messages": "hi"}""", 400, "messages", "invalid_type")]
    [InlineData("/v1/chat/completions", """{"model": "gpt-4", "messages": [{"role": "user", "content": "x"}]}""", 404, "model", "model_not_found")]
    [InlineData("/tokenize", """{"prompt": 5}""", 400, "prompt", "invalid_type")]
    [InlineData("/tokenize", """{"model": "gpt-4", "prompt": "x"}""", 404, "model", "model_not_found")]
    [InlineData("/detokenize", """{"tokens": [-1]}""", 400, "tokens.0", "below_min_value")]
    public async Task Refuses_bad_requests(string path, string body, int status, string? param, string code)
    {
        using HttpResponseMessage response = await _host.PostAsync(path, body);

        JsonElement error = await GatewayHost.ErrorAsync(response);
        Assert.Equal((status, param, code), ((int)response.StatusCode, error.GetProperty("param").GetString(), error.GetProperty("code").GetString()));
    }

    [Theory]
    [InlineData(GatewayHost.ContextLength - 1, 200)]
    [InlineData(GatewayHost.ContextLength, 400)]
    [InlineData(5000, 400)]
    public async Task Measures_prompts_by_the_context(int length, int status)
    {
        await _host.AddAsync("mixed-1", WorkerRole.Mixed);
        using HttpResponseMessage response = await _host.PostAsync("/v1/completions", $$"""{"model": "tiny", "prompt": [{{string.Join(',', Enumerable.Repeat(5, length))}}]}""");

        Assert.Equal(status, (int)response.StatusCode);
        if (status == 400)
        {
            JsonElement error = await GatewayHost.ErrorAsync(response);
            Assert.Equal("context_length_exceeded", error.GetProperty("code").GetString());
            Assert.Contains($"{GatewayHost.ContextLength} tokens", error.GetProperty("message").GetString(), StringComparison.Ordinal);
            Assert.Contains($"{length} tokens", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Refuses_long_bodies_clearly(bool chunked)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
        {
            Content = new StringContent($$"""{"model": "tiny", "prompt": "{{new string('x', 10_000_000)}}"}"""),
        };
        request.Headers.TransferEncodingChunked = chunked;
        using HttpResponseMessage response = await _host.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        JsonElement error = await GatewayHost.ErrorAsync(response);
        Assert.Equal("request_too_large", error.GetProperty("code").GetString());
        Assert.Contains("8388608 bytes", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_compressed_bodies_clearly()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = new ByteArrayContent([31, 139]) };
        request.Content.Headers.ContentEncoding.Add("gzip");
        using HttpResponseMessage response = await _host.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, response.StatusCode);
        Assert.Equal("unsupported_content_encoding", (await GatewayHost.ErrorAsync(response)).GetProperty("code").GetString());
    }

    [Fact]
    public async Task Reads_bodies_up_to_the_limit()
    {
        using HttpResponseMessage response = await _host.PostAsync("/tokenize", $$"""{"prompt": "{{new string('x', 7_000_000)}}"}""");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task Refuses_long_bodies_before_they_are_sent_to_who_asks_first()
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _host.Client.BaseAddress!.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
            "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\nExpect: 100-continue\r\n\r\n"));
        using var reader = new StreamReader(client.GetStream());

        Assert.Equal("HTTP/1.1 413 Payload Too Large", await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30)));
    }

    private async Task<HttpStatusCode> StatusAsync(string path)
    {
        using HttpResponseMessage response = await _host.Client.GetAsync(path);
        return response.StatusCode;
    }

    private async Task<int[]> TokenizeAsync(object body)
    {
        using HttpResponseMessage response = await _host.Client.PostAsJsonAsync("/tokenize", body);
        JsonElement answer = await response.Content.ReadFromJsonAsync<JsonElement>();
        return [.. answer.GetProperty("tokens").EnumerateArray().Select(t => t.GetInt32())];
    }
}
