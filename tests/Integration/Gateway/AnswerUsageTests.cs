using System.Net;
using LlmCluster.Api.Errors;
using LlmCluster.Api.Generate;
using LlmCluster.Cluster;
using LlmCluster.Cluster.InMemory;
using LlmCluster.Gateway;
using LlmCluster.Gateway.Proxy;
using LlmCluster.Inference.Sampling;
using LlmCluster.Testing;
using LlmCluster.Tests.Integration.Worker;
using LlmCluster.Worker;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Xunit;
using Yarp.ReverseProxy.Forwarder;

namespace LlmCluster.Tests.Integration.Gateway;

/// <summary>What a gateway learns of an answer's use, from a real worker or a scripted one, through a real proxy.</summary>
public sealed class AnswerUsageTests(WorkerFixture fixture) : IClassFixture<WorkerFixture>
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_worker_tells_what_an_answer_used(bool stream)
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp worker = await fixture.StartAsync(WorkerRole.Mixed, state);
        await using Front front = await Front.StartAsync(worker.Info, Request(stream, maxTokens: 5, choices: 2));
        HttpResponseMessage first = await front.AskAsync();
        HttpResponseMessage second = await front.AskAsync();
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        Assert.Equal(new AnswerUsage(40, 0, 10), front.Outcomes[0].Usage);

        // Two full blocks, without the one that holds the last token.
        Assert.Equal(new AnswerUsage(40, 32, 10), front.Outcomes[1].Usage);
        Assert.All(front.Outcomes, outcome => Assert.Null(outcome.Error));
        Assert.All(front.Outcomes, outcome => Assert.Equal(stream, outcome.FirstByte is not null));
        Assert.Equal(stream ? 2 : 0, front.FirstBytes);
        foreach (HttpResponseMessage response in new[] { first, second })
        {
            Assert.False(response.Headers.Contains(GenerateHeaders.Usage));
            Assert.Empty(response.Headers.Trailer);
            Assert.Empty(response.TrailingHeaders);
            string body = await response.Content.ReadAsStringAsync();
            Assert.Contains(stream ? "data: [DONE]" : "\"total_tokens\":50", body, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task So_it_does_when_a_stream_ends_with_an_error()
    {
        await using var state = new InMemoryClusterState();
        WorkerApp worker = await fixture.StartAsync(WorkerRole.Mixed, state, options => options with { ShutdownTimeout = TimeSpan.Zero });
        await using Front front = await Front.StartAsync(worker.Info, Request(stream: true, maxTokens: 1900, choices: 1));
        Task<HttpResponseMessage> asking = front.AskAsync();
        await Eventually.TrueAsync(() => front.FirstBytes == 1);
        await worker.DisposeAsync();
        string body = await (await asking).Content.ReadAsStringAsync();
        Assert.Contains("\"error\"", body, StringComparison.Ordinal);
        AnswerUsage usage = Assert.IsType<AnswerUsage>(front.Outcomes[0].Usage);
        Assert.Equal(40, usage.PromptTokens);
        Assert.InRange(usage.CompletionTokens, 1, 1899);
    }

    [Fact]
    public async Task An_error_is_no_first_byte_and_a_broken_answer_has_no_use()
    {
        ScriptedWorker worker = await ScriptedWorker.StartAsync("w", WorkerRole.Mixed);
        await using (worker)
        {
            await using Front front = await Front.StartAsync(worker.Snapshot.Info, Request(stream: true, maxTokens: 5, choices: 1));
            worker.OnGenerate = (context, _) => ApiErrorWriter.WriteAsync(context.Response, ApiError.Unavailable("Not now."));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, (await front.AskAsync()).StatusCode);
            worker.OnGenerate = async (context, _) =>
            {
                await context.Response.WriteAsync("data: 1\n\n");
                await context.Response.Body.FlushAsync();

                // A connection that is reset may lose what was not read yet.
                await Eventually.TrueAsync(() => front.FirstBytes == 1);
                context.Abort();
            };
            await front.AskAsync();
            Assert.Equal((0, null, null), (0, front.Outcomes[0].Usage, front.Outcomes[0].FirstByte));
            Assert.Null(front.Outcomes[1].Usage);
            Assert.NotNull(front.Outcomes[1].Error);
            Assert.NotNull(front.Outcomes[1].FirstByte);
            Assert.Equal(1, front.FirstBytes);
        }
    }

    private static GenerateRequest Request(bool stream, int maxTokens, int choices) => new()
    {
        RequestId = "r",
        Answer = new AnswerHeader("id", AnswerKind.Completion, "tiny", 1),
        Options = new AnswerOptions { Stream = stream },
        Sequences = [.. Enumerable.Range(0, choices).Select(i => new GenerateSequence(i, 0, (ulong)i, maxTokens))],
        Local = new LocalGeneration
        {
            Prompts = [[.. Enumerable.Range(0, 40).Select(i => i * 11 % 512)]],
            Sampling = new SamplingOptions { Temperature = 0 },
            IgnoreEos = true,
        },
    };

    /// <summary>A server that does nothing but forward one request.</summary>
    private sealed class Front : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private readonly HttpClient _client = new();
        private int _firstBytes;

        private Front(WebApplication app) => _app = app;

        public List<DecodeOutcome> Outcomes { get; } = [];

        public int FirstBytes => Volatile.Read(ref _firstBytes);

        public static async Task<Front> StartAsync(WorkerInfo worker, GenerateRequest request)
        {
            WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
            builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
            builder.Services.AddRoutingCore().AddHttpForwarder();
            WebApplication app = builder.Build();
            var front = new Front(app);
            var leg = new DecodeLeg(app.Services.GetRequiredService<IHttpForwarder>(), new GatewayOptions(), TimeProvider.System);
            app.MapPost("/", async context =>
            {
                DecodeOutcome outcome = await leg.ForwardAsync(
                    context, request, worker, "id", context.RequestAborted, () => Interlocked.Increment(ref front._firstBytes));
                front.Outcomes.Add(outcome);
            });
            await app.StartAsync();
            front._client.BaseAddress = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
            return front;
        }

        public Task<HttpResponseMessage> AskAsync() => _client.PostAsync("/", new StringContent("{}"));

        public async ValueTask DisposeAsync()
        {
            _client.Dispose();
            await _app.DisposeAsync();
        }
    }
}
