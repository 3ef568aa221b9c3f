using System.Net;
using System.Text.Json;
using Grpc.Core;
using LlmCluster.Cluster;
using LlmCluster.Protocol.V1;
using LlmCluster.Testing;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace LlmCluster.Tests.Integration.Gateway;

/// <summary>Both legs of a request against workers that do what the test says.</summary>
public sealed class LegsTests
{
    private const string Completion = """{"model": "tiny", "prompt": [5, 6, 7], "max_tokens": 4, "seed": 9, "stop": "x"}""";
    private const string Stream = """{"model": "tiny", "prompt": [5, 6, 7], "max_tokens": 4, "stream": true}""";

    [Fact]
    public async Task Both_legs_get_what_they_need()
    {
        await using GatewayHost host = await GatewayHost.StartAsync();
        ScriptedWorker prefill = await host.AddAsync("prefill-1", WorkerRole.Prefill);
        ScriptedWorker decode = await host.AddAsync("decode-1", WorkerRole.Decode);

        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = new StringContent(Completion) };
        request.Headers.Add("x-request-id", "my id-1");
        request.Headers.Add("authorization", "Bearer secret");
        using HttpResponseMessage response = await host.Client.SendAsync(request);

        Assert.Equal("""{"ok":true}""", await response.Content.ReadAsStringAsync());
        Assert.Equal(["myid-1"], response.Headers.GetValues("x-request-id"));
        await Eventually.TrueAsync(() => prefill.Prefills.Count == 1);
        (PrefillRequest leg1, string? prefillId) = Assert.Single(prefill.Prefills);
        (Api.Generate.GenerateRequest leg2, IReadOnlyDictionary<string, string> headers, JsonElement body) = Assert.Single(decode.Generates);
        Assert.Equal([5, 6, 7], leg1.Prompt);
        Assert.Equal((9ul, 4, 1), (leg1.Sampling.Seed, leg1.MaxTokens, leg1.Id.Epoch));
        Assert.Equal(decode.Snapshot.Info.GrpcEndpoint, new Uri(leg1.DecodeEndpoint));
        Assert.Equal(leg1.Id.RequestId, leg2.RequestId);
        Assert.Equal("fp_0123456789ab", leg2.Answer.SystemFingerprint);
        Assert.Equal(["x"], leg2.Options.Stop);
        Assert.False(body.TryGetProperty("local", out _));
        Assert.Equal(("myid-1", "myid-1"), (prefillId, headers["x-request-id"]));
        Assert.False(headers.ContainsKey("authorization"));
        await Eventually.TrueAsync(() => host.Log.Any(line => line.Contains("/v1/completions ended with status 200", StringComparison.Ordinal)));
        Assert.Contains(host.Log, line => line.Contains("RequestId:myid-1", StringComparison.Ordinal) && line.Contains("ended with status 200", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_mixed_worker_gets_everything_in_one_leg()
    {
        await using GatewayHost host = await GatewayHost.StartAsync();
        ScriptedWorker mixed = await host.AddAsync("mixed-1", WorkerRole.Mixed);

        using HttpResponseMessage response = await host.PostAsync("/v1/completions", """{"model": "tiny", "prompt": [[5], [6, 7]], "n": 2, "temperature": 0.5}""");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Api.Generate.GenerateRequest request = Assert.Single(mixed.Generates).Request;
        Assert.Equal([[5], [6, 7]], request.Local!.Prompts);
        Assert.Equal(4, request.Sequences.Count);
        Assert.Equal(0.5f, request.Local.Sampling.Temperature);
        Assert.Empty(mixed.Prefills);
    }

    [Fact]
    public async Task Events_pass_at_once()
    {
        await using GatewayHost host = await GatewayHost.StartAsync();
        await host.AddAsync("prefill-1", WorkerRole.Prefill);
        ScriptedWorker decode = await host.AddAsync("decode-1", WorkerRole.Decode);
        var next = new SemaphoreSlim(0);
        decode.OnGenerate = async (context, _) =>
        {
            context.Response.ContentType = "text/event-stream";
            for (int i = 0; i < 3; i++)
            {
                await context.Response.WriteAsync($"data: {i}\n\n");
                await next.WaitAsync(TimeSpan.FromSeconds(30));
            }
        };

        using HttpResponseMessage response = await host.PostAsync("/v1/completions", Stream, stream: true);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        for (int i = 0; i < 3; i++)
        {
            // Each event is read before the worker is allowed to write the next one.
            Assert.Equal($"data: {i}", await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30)));
            Assert.Equal("", await reader.ReadLineAsync());
            next.Release();
        }

        Assert.Null(await reader.ReadLineAsync());
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
    }

    [Theory]
    [InlineData(StatusCode.Unavailable)]
    [InlineData(StatusCode.DataLoss)]
    public async Task A_failed_prefill_worker_is_replaced(StatusCode code)
    {
        await using GatewayHost host = await GatewayHost.StartAsync();
        ScriptedWorker[] prefills = [await host.AddAsync("prefill-1", WorkerRole.Prefill), await host.AddAsync("prefill-2", WorkerRole.Prefill)];
        ScriptedWorker decode = await host.AddAsync("decode-1", WorkerRole.Decode);
        int failures = 1;
        var taken = new TaskCompletionSource();
        foreach (ScriptedWorker worker in prefills)
        {
            worker.OnPrefill = (_, _) =>
            {
                if (Interlocked.Decrement(ref failures) >= 0)
                {
                    throw new RpcException(new Status(code, "lost"));
                }

                taken.SetResult();
                return Task.CompletedTask;
            };
        }

        decode.OnGenerate = async (context, _) =>
        {
            await taken.Task.WaitAsync(TimeSpan.FromSeconds(30));
            await context.Response.WriteAsync("done");
        };

        using HttpResponseMessage response = await host.PostAsync("/v1/completions", Completion);

        Assert.Equal("done", await response.Content.ReadAsStringAsync());
        Assert.Equal([1, 2], prefills.Select(w => Assert.Single(w.Prefills).Request.Id.Epoch).Order());
    }

    [Fact]
    public async Task A_prefill_worker_that_is_gone_is_replaced()
    {
        await using GatewayHost host = await GatewayHost.StartAsync();
        ScriptedWorker gone = await host.AddAsync("prefill-1", WorkerRole.Prefill);
        ScriptedWorker other = await host.AddAsync("prefill-2", WorkerRole.Prefill);
        ScriptedWorker decode = await host.AddAsync("decode-1", WorkerRole.Decode);
        decode.OnGenerate = async (context, request) =>
        {
            await Eventually.TrueAsync(() => other.Prefills.Any(p => p.Request.Id.RequestId == request.RequestId));
            await context.Response.WriteAsync("done");
        };
        await gone.DisposeAsync();

        for (int i = 0; i < 2; i++)
        {
            using HttpResponseMessage response = await host.PostAsync("/v1/completions", Completion);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }

        Assert.Contains(other.Prefills, p => p.Request.Id.Epoch == 2);
    }

    [Theory]
    [InlineData(StatusCode.InvalidArgument, 400, 1)]
    [InlineData(StatusCode.ResourceExhausted, 503, 1)]
    [InlineData(StatusCode.DeadlineExceeded, 504, 1)]
    [InlineData(StatusCode.Unavailable, 503, 3)]
    public async Task A_failure_of_leg_1_ends_leg_2_and_is_told(StatusCode code, int status, int attempts)
    {
        await using GatewayHost host = await GatewayHost.StartAsync();
        ScriptedWorker prefill = await host.AddAsync("prefill-1", WorkerRole.Prefill);
        ScriptedWorker decode = await host.AddAsync("decode-1", WorkerRole.Decode);
        prefill.OnPrefill = (_, _) => throw new RpcException(new Status(code, "because of the test"));
        decode.OnGenerate = (context, _) => Task.Delay(Timeout.Infinite, context.RequestAborted);

        using HttpResponseMessage response = await host.PostAsync("/v1/completions", Completion);

        Assert.Equal(status, (int)response.StatusCode);
        Assert.Contains("because of the test", (await GatewayHost.ErrorAsync(response)).GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(Enumerable.Range(1, attempts), prefill.Prefills.Select(p => p.Request.Id.Epoch));
        await Eventually.TrueAsync(() => decode.Open == 0);
    }

    [Fact]
    public async Task A_prefill_worker_lost_after_it_handed_over_harms_nobody()
    {
        await using GatewayHost host = await GatewayHost.StartAsync();
        ScriptedWorker prefill = await host.AddAsync("prefill-1", WorkerRole.Prefill);
        ScriptedWorker decode = await host.AddAsync("decode-1", WorkerRole.Decode);
        prefill.OnPrefill = (request, _) => throw (request.Id.Epoch == 1
            ? new RpcException(new Status(StatusCode.Unavailable, "lost after the hand-over"))
            : new RpcException(new Status(StatusCode.Aborted, "the sequence is here already and done")));
        decode.OnGenerate = async (context, _) =>
        {
            await Eventually.TrueAsync(() => prefill.Prefills.Count == 2 && prefill.Open == 0);
            await context.Response.WriteAsync("done");
        };

        using HttpResponseMessage response = await host.PostAsync("/v1/completions", Completion);

        Assert.Equal("done", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task One_failed_sequence_ends_the_others()
    {
        await using GatewayHost host = await GatewayHost.StartAsync();
        ScriptedWorker prefill = await host.AddAsync("prefill-1", WorkerRole.Prefill);
        ScriptedWorker decode = await host.AddAsync("decode-1", WorkerRole.Decode);
        prefill.OnPrefill = (request, context) => request.Id.Index == 2
            ? throw new RpcException(new Status(StatusCode.Internal, "a defect"))
            : Task.Delay(Timeout.Infinite, context.CancellationToken);
        decode.OnGenerate = (context, _) => Task.Delay(Timeout.Infinite, context.RequestAborted);

        using HttpResponseMessage response = await host.PostAsync("/v1/completions", """{"model": "tiny", "prompt": [5], "n": 4}""");

        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        await Eventually.TrueAsync(() => prefill.Open == 0 && decode.Open == 0);
    }

    [Fact]
    public async Task A_decode_worker_that_is_gone_is_told_and_leg_1_ends()
    {
        await using GatewayHost host = await GatewayHost.StartAsync();
        ScriptedWorker prefill = await host.AddAsync("prefill-1", WorkerRole.Prefill);
        ScriptedWorker decode = await host.AddAsync("decode-1", WorkerRole.Decode);
        prefill.OnPrefill = (_, context) => Task.Delay(Timeout.Infinite, context.CancellationToken);
        await decode.DisposeAsync();

        using HttpResponseMessage response = await host.PostAsync("/v1/completions", Completion);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Contains("decode-1", (await GatewayHost.ErrorAsync(response)).GetProperty("message").GetString(), StringComparison.Ordinal);
        await Eventually.TrueAsync(() => prefill.Open == 0);
    }

    [Fact]
    public async Task A_workers_own_error_passes_and_ends_leg_1()
    {
        await using GatewayHost host = await GatewayHost.StartAsync();
        ScriptedWorker prefill = await host.AddAsync("prefill-1", WorkerRole.Prefill);
        ScriptedWorker decode = await host.AddAsync("decode-1", WorkerRole.Decode);
        prefill.OnPrefill = (_, context) => Task.Delay(Timeout.Infinite, context.CancellationToken);
        decode.OnGenerate = (context, _) => Api.Errors.ApiErrorWriter.WriteAsync(context.Response, Api.Errors.ApiError.Overloaded("No room."));

        using HttpResponseMessage response = await host.PostAsync("/v1/completions", Completion);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("No room.", (await GatewayHost.ErrorAsync(response)).GetProperty("message").GetString());
        await Eventually.TrueAsync(() => prefill.Open == 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_stream_that_breaks_off_never_looks_whole(bool atEventBoundary)
    {
        await using GatewayHost host = await GatewayHost.StartAsync();
        await host.AddAsync("prefill-1", WorkerRole.Prefill);
        ScriptedWorker decode = await host.AddAsync("decode-1", WorkerRole.Decode);
        decode.OnGenerate = async (context, _) =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync(atEventBoundary ? "data: {}\n\n" : "data: {\"ha");
            await Task.Delay(200);
            context.Abort();
        };

        using HttpResponseMessage response = await host.PostAsync("/v1/completions", Stream, stream: true);
        if (atEventBoundary)
        {
            string text = await response.Content.ReadAsStringAsync();
            Assert.StartsWith("data: {}\n\ndata: {\"error\":{\"message\":\"Worker decode-1 was lost", text, StringComparison.Ordinal);
            Assert.DoesNotContain("[DONE]", text, StringComparison.Ordinal);
        }
        else
        {
            await Assert.ThrowsAnyAsync<HttpRequestException>(() => response.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task A_failure_of_leg_1_in_a_stream_is_an_event()
    {
        await using GatewayHost host = await GatewayHost.StartAsync();
        ScriptedWorker prefill = await host.AddAsync("prefill-1", WorkerRole.Prefill);
        ScriptedWorker decode = await host.AddAsync("decode-1", WorkerRole.Decode);
        var begun = new TaskCompletionSource();
        prefill.OnPrefill = async (_, _) =>
        {
            await begun.Task;
            throw new RpcException(new Status(StatusCode.ResourceExhausted, "no room for the second choice"));
        };
        decode.OnGenerate = async (context, _) =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: {}\n\n");
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        };

        using HttpResponseMessage response = await host.PostAsync("/v1/completions", Stream, stream: true);
        begun.SetResult();

        Assert.Contains("no room for the second choice", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await Eventually.TrueAsync(() => decode.Open == 0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_client_that_hangs_up_ends_both_legs(bool midStream)
    {
        await using GatewayHost host = await GatewayHost.StartAsync();
        ScriptedWorker prefill = await host.AddAsync("prefill-1", WorkerRole.Prefill);
        ScriptedWorker decode = await host.AddAsync("decode-1", WorkerRole.Decode);
        prefill.OnPrefill = (_, context) => Task.Delay(Timeout.Infinite, context.CancellationToken);
        decode.OnGenerate = async (context, _) =>
        {
            if (midStream)
            {
                await context.Response.WriteAsync("data: {}\n\n");
            }

            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        };

        using var hangUp = new CancellationTokenSource();
        Task<HttpResponseMessage> response = host.PostAsync("/v1/completions", Stream, hangUp.Token, stream: true);
        if (midStream)
        {
            (await response).Dispose();
        }

        await Eventually.TrueAsync(() => prefill.Prefills.Count == 1 && decode.Generates.Count == 1);
        await hangUp.CancelAsync();

        await Eventually.TrueAsync(() => prefill.Open == 0 && decode.Open == 0);
        await Eventually.TrueAsync(() => host.Log.Any(line => line.Contains("hung up", StringComparison.Ordinal)));
        Assert.DoesNotContain(host.Log, line => line.StartsWith("Error LlmCluster", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_request_that_takes_too_long_ends_both_legs()
    {
        await using GatewayHost host = await GatewayHost.StartAsync(o => o with { RequestTimeout = TimeSpan.FromMilliseconds(500) });
        ScriptedWorker prefill = await host.AddAsync("prefill-1", WorkerRole.Prefill);
        ScriptedWorker decode = await host.AddAsync("decode-1", WorkerRole.Decode);
        prefill.OnPrefill = (_, context) => Task.Delay(Timeout.Infinite, context.CancellationToken);
        decode.OnGenerate = (context, _) => Task.Delay(Timeout.Infinite, context.RequestAborted);

        using HttpResponseMessage response = await host.PostAsync("/v1/completions", Completion);

        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        Assert.Equal("timeout", (await GatewayHost.ErrorAsync(response)).GetProperty("code").GetString());
        await Eventually.TrueAsync(() => prefill.Open == 0 && decode.Open == 0);
    }

    [Fact]
    public async Task An_answer_may_be_whole_before_leg_1_ends()
    {
        await using GatewayHost host = await GatewayHost.StartAsync();
        ScriptedWorker prefill = await host.AddAsync("prefill-1", WorkerRole.Prefill);
        ScriptedWorker decode = await host.AddAsync("decode-1", WorkerRole.Decode);
        var answered = new TaskCompletionSource();
        bool cancelled = false;
        prefill.OnPrefill = async (_, context) =>
        {
            await answered.Task;
            cancelled = context.CancellationToken.IsCancellationRequested;
        };

        using HttpResponseMessage response = await host.PostAsync("/v1/completions", Stream);
        Assert.Equal("""{"ok":true}""", await response.Content.ReadAsStringAsync());
        answered.SetResult();

        await Eventually.TrueAsync(() => prefill.Open == 0);
        Assert.False(cancelled);
        Assert.Single(decode.Generates);
    }
}
