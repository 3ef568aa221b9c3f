using System.Net;
using System.Text;
using System.Text.Json;
using LlmCluster.Cluster;
using LlmCluster.Gateway.Access;
using LlmCluster.Testing;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace LlmCluster.Tests.Integration.Gateway;

/// <summary>Keys, classes and limits, over HTTP.</summary>
public sealed class AccessTests
{
    private const string Body = """{"model": "tiny", "prompt": [5, 6, 7, 8], "max_tokens": 6}""";
    private const string Secret = "sk-alpha-0123456789";

    [Fact]
    public async Task Lets_nobody_in_without_a_key_that_it_knows()
    {
        await using GatewayHost host = await StartAsync(Key("alpha"));
        ScriptedWorker mixed = await host.AddAsync("mixed-1", WorkerRole.Mixed);

        foreach ((string method, string path, string? header) in new[]
        {
            ("POST", "/v1/completions", null), ("POST", "/v1/chat/completions", "Bearer sk-unheard-of"), ("GET", "/v1/models", "Basic abc"), ("GET", "/V1/models/tiny", "Bearer "),
            ("POST", "/tokenize", null), ("POST", "/detokenize", $"Bearer {Secret}x"), ("GET", "/v1/nothing", null),
        })
        {
            using HttpResponseMessage refused = await SendAsync(host.Client, path, header, method == "POST" ? Body : null);
            JsonElement error = await GatewayHost.ErrorAsync(refused);
            Assert.Equal((HttpStatusCode.Unauthorized, "invalid_api_key", "invalid_request_error"), (refused.StatusCode, error.GetProperty("code").GetString(), error.GetProperty("type").GetString()));
            Assert.Equal("Bearer", refused.Headers.WwwAuthenticate.ToString());
            Assert.DoesNotContain("unheard", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        }

        Assert.Empty(mixed.Generates);
        foreach (string open in new[] { "/health", "/ready", "/internal/workers" })
        {
            Assert.Equal(HttpStatusCode.OK, (await host.Client.GetAsync(open)).StatusCode);
        }

        using HttpResponseMessage answered = await SendAsync(host.Client, "/v1/completions", $"bearer {Secret}", Body);
        Assert.Equal(HttpStatusCode.OK, answered.StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(host.Client, "/v1/models", $"Bearer {Secret}", null)).StatusCode);
        Assert.DoesNotContain(host.Log, line => line.Contains("sk-", StringComparison.Ordinal));

        // The key is the gateway's affair.
        Assert.DoesNotContain("authorization", Assert.Single(mixed.Generates).Headers.Keys);
    }

    [Fact]
    public async Task Workers_get_priority_tenant_and_salt_from_the_key()
    {
        await using GatewayHost host = await StartAsync(Key("alpha") with { Class = "batch" });
        await host.AddAsync("decode-1", WorkerRole.Decode);
        ScriptedWorker prefill = await host.AddAsync("prefill-1", WorkerRole.Prefill);

        using HttpResponseMessage first = await SendAsync(host.Client, "/v1/completions", $"Bearer {Secret}", """{"model": "tiny", "prompt": [5], "priority": -50, "user": "someone", "cache_salt": "s"}""");
        using HttpResponseMessage second = await SendAsync(host.Client, "/v1/completions", $"Bearer {Secret}", """{"model": "tiny", "prompt": [5], "priority": 60}""");

        // An answer may be complete before its prefill call has come.
        await Eventually.TrueAsync(() => prefill.Prefills.Count == 2);
        Assert.Equal(
            [(20, "tenant-alpha", "12:tenant-alpha|s"), (60, "tenant-alpha", "12:tenant-alpha|")],
            prefill.Prefills.Select(p => (p.Request.Priority, p.Request.Tenant, p.Request.CacheSalt)).Order());
    }

    [Fact]
    public async Task Says_what_is_left_and_when_to_try_again()
    {
        await using GatewayHost host = await StartAsync(Key("alpha") with { RequestsPerMinute = 2, TokensPerMinute = 100 });
        await host.AddAsync("mixed-1", WorkerRole.Mixed);

        using HttpResponseMessage first = await SendAsync(host.Client, "/v1/completions", $"Bearer {Secret}", Body);
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        Assert.Equal(("2", "1", "100", "90"), Limits(first));
        using HttpResponseMessage second = await SendAsync(host.Client, "/v1/completions", $"Bearer {Secret}", Body);
        Assert.Equal(HttpStatusCode.OK, second.StatusCode);

        using HttpResponseMessage third = await SendAsync(host.Client, "/v1/completions", $"Bearer {Secret}", Body);
        JsonElement error = await GatewayHost.ErrorAsync(third);
        Assert.Equal((HttpStatusCode.TooManyRequests, "requests", "rate_limit_exceeded"), (third.StatusCode, error.GetProperty("type").GetString(), error.GetProperty("code").GetString()));
        Assert.InRange(third.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 30);
        Assert.Equal(("2", "0"), (Limits(third).Item1, Limits(third).Item2));

        // Chat without a limit of its own may use the rest of the context: more than this key ever may.
        using HttpResponseMessage chat = await SendAsync(host.Client, "/v1/completions", $"Bearer {Secret}", """{"model": "tiny", "prompt": [5], "max_tokens": 127}""");
        error = await GatewayHost.ErrorAsync(chat);
        Assert.Equal((HttpStatusCode.BadRequest, "request_above_limit"), (chat.StatusCode, error.GetProperty("code").GetString()));
        Assert.Contains("100 tokens per minute, but the request asks for 128", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_request_that_fails_without_an_answer_costs_no_tokens()
    {
        await using GatewayHost host = await StartAsync(Key("alpha") with { TokenBudget = 10 });
        ScriptedWorker mixed = await host.AddAsync("mixed-1", WorkerRole.Mixed);
        mixed.OnGenerate = (context, _) =>
        {
            context.Response.StatusCode = 503;
            return context.Response.WriteAsJsonAsync(new { error = new { message = "full", type = "server_error", param = (string?)null, code = "overloaded" } });
        };
        using HttpResponseMessage failed = await SendAsync(host.Client, "/v1/completions", $"Bearer {Secret}", Body);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, failed.StatusCode);

        mixed.OnGenerate = (context, _) => context.Response.WriteAsJsonAsync(new { ok = true });
        await Testing.Eventually.TrueAsync(async () => (await SendAsync(host.Client, "/v1/completions", $"Bearer {Secret}", Body)).StatusCode == HttpStatusCode.OK);
        using HttpResponseMessage spent = await SendAsync(host.Client, "/v1/completions", $"Bearer {Secret}", Body);
        Assert.Equal("insufficient_quota", (await GatewayHost.ErrorAsync(spent)).GetProperty("code").GetString());
    }

    [Fact]
    public async Task Two_gateways_never_exceed_a_budget_under_a_burst()
    {
        const int Requests = 60, Fit = 23;
        KeyOptions key = Key("alpha") with { TokenBudget = (Fit * 10) + 9, BudgetPeriod = TimeSpan.FromDays(366) };
        await using GatewayHost host = await StartAsync(key);
        Uri second = await host.AddGatewayAsync();
        using var other = new HttpClient { BaseAddress = second };
        ScriptedWorker mixed = await host.AddAsync("mixed-1", WorkerRole.Mixed);
        await Testing.Eventually.TrueAsync(async () => (await other.GetAsync("/ready")).IsSuccessStatusCode);

        HttpStatusCode[] codes = await Task.WhenAll(Enumerable.Range(0, Requests).Select(async i =>
        {
            using HttpResponseMessage response = await SendAsync(i % 2 == 0 ? host.Client : other, "/v1/completions", $"Bearer {Secret}", Body);
            return response.StatusCode;
        }));

        Assert.Equal((Fit, Requests - Fit), (codes.Count(c => c == HttpStatusCode.OK), codes.Count(c => c == HttpStatusCode.TooManyRequests)));
        Assert.Equal(Fit, mixed.Generates.Count);
    }

    private static KeyOptions Key(string name) => new() { Name = name, Key = Secret, Tenant = $"tenant-{name}" };

    private static Task<GatewayHost> StartAsync(KeyOptions key) => GatewayHost.StartAsync(options => options with
    {
        Keys = [key],
        Classes = new Dictionary<string, ClassOptions> { ["batch"] = new() { Priority = 20 } },
    });

    private static Task<HttpResponseMessage> SendAsync(HttpClient client, string path, string? authorization, string? body)
    {
        var request = new HttpRequestMessage(body is null ? HttpMethod.Get : HttpMethod.Post, path);
        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        }

        if (authorization is not null)
        {
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        }

        return client.SendAsync(request);
    }

    private static (string?, string?, string?, string?) Limits(HttpResponseMessage response)
    {
        return (Get("limit-requests"), Get("remaining-requests"), Get("limit-tokens"), Get("remaining-tokens"));

        string? Get(string name) => response.Headers.TryGetValues($"x-ratelimit-{name}", out IEnumerable<string>? values) ? values.Single() : null;
    }
}
