using System.Net.Http.Json;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using LlmCluster.Api.Generate;
using LlmCluster.Cluster;
using LlmCluster.Cluster.InMemory;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Sampling;
using LlmCluster.KvTransfer;
using LlmCluster.Protocol.V1;
using LlmCluster.Testing;
using LlmCluster.Worker;
using Xunit;

namespace LlmCluster.Tests.Integration.Worker;

/// <summary>Workers that fetch blocks from one another over real connections.</summary>
public sealed class FetchTests(WorkerFixture fixture) : IClassFixture<WorkerFixture>
{
    private const int BlockSize = 16;

    [Theory]
    [InlineData(WorkerRole.Prefill)]
    [InlineData(WorkerRole.Decode)]
    [InlineData(WorkerRole.Mixed)]
    public async Task What_is_fetched_changes_no_bit_and_counts_as_cached(WorkerRole peerRole)
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp peer = await fixture.StartAsync(peerRole, state);
        await using WorkerApp local = await fixture.StartAsync(WorkerRole.Decode, state);
        await using WorkerApp prefill = await fixture.StartAsync(WorkerRole.Prefill, state);
        await using WorkerApp plain = await fixture.StartAsync(WorkerRole.Mixed, state);
        for (int i = 0; i < 4; i++)
        {
            // Whole blocks, and one token less and more than that.
            int[] prompt = Prompt(96 + i - 1, seed: i);
            int cached = (prompt.Length - 1) / BlockSize * BlockSize;
            (string expected, _) = await GenerateAsync(plain, $"plain{i}", prompt);
            await using (IGeneration computed = peer.Engine.Submit(Request(prompt)))
            {
                await ReadAsync(computed);
            }

            (string answer, int cachedTokens) = await GenerateAsync(local, $"local{i}", prompt, peer.Info.GrpcEndpoint, choices: 3);
            Assert.Equal(expected, answer);
            Assert.Equal(cached, cachedTokens);

            Task<(string Answer, int CachedTokens)> leg2 = GenerateAsync(local, $"pair{i}", prompt, choices: 3, isLocal: false);
            PrefillResponse[] leg1 = await PrefillAsync(prefill, local, $"pair{i}", prompt, peer.Info.GrpcEndpoint, choices: 3);
            Assert.All(leg1, response => Assert.Equal(cached, response.CachedTokens));
            Assert.Equal((expected, cached), await leg2);
        }

        foreach (WorkerApp worker in new[] { local, prefill })
        {
            JsonElement fetched = (await StatusAsync(worker)).GetProperty("kv_fetch");

            // Once a prompt, whatever the number of its choices.
            Assert.Equal((4, 0), (fetched.GetProperty("fetches").GetInt32(), fetched.GetProperty("failures").GetInt32()));
            Assert.Equal(5 + 5 + 6 + 6, fetched.GetProperty("blocks").GetInt32());
        }

        Assert.Equal(2 * 22, (await StatusAsync(peer)).GetProperty("kv_fetch").GetProperty("served_blocks").GetInt32());
        await AssertReleasedAsync(peer, local, prefill, plain);
    }

    [Fact]
    public async Task A_peer_that_is_gone_or_knows_nothing_costs_computing()
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp peer = await fixture.StartAsync(WorkerRole.Mixed, state);
        await using WorkerApp local = await fixture.StartAsync(WorkerRole.Decode, state);
        int[] prompt = Prompt(100, seed: 7);
        (string expected, _) = await GenerateAsync(peer, "plain", prompt);
        var gone = new Uri($"http://127.0.0.1:{FreePort.Next()}");
        Assert.Equal((expected, 0), await GenerateAsync(local, "gone", prompt, gone));
        JsonElement fetched = (await StatusAsync(local)).GetProperty("kv_fetch");
        Assert.Equal((1, 1), (fetched.GetProperty("fetches").GetInt32(), fetched.GetProperty("failures").GetInt32()));

        peer.Engine.Pool.ClearCache();
        local.Engine.Pool.ClearCache();
        Assert.Equal((expected, 0), await GenerateAsync(local, "forgot", prompt, peer.Info.GrpcEndpoint));
        Assert.Equal(1, (await StatusAsync(local)).GetProperty("kv_fetch").GetProperty("failures").GetInt32());
        await AssertReleasedAsync(peer, local);
    }

    [Fact]
    public async Task Requests_that_are_cancelled_at_any_moment_leave_nothing()
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp peer = await fixture.StartAsync(WorkerRole.Mixed, state);
        await using WorkerApp local = await fixture.StartAsync(WorkerRole.Decode, state);
        for (int i = 0; i < 40; i++)
        {
            int[] prompt = Prompt(400, seed: 100 + (i % 3));
            await using (IGeneration computed = peer.Engine.Submit(Request(prompt)))
            {
                await ReadAsync(computed);
            }

            local.Engine.Pool.ClearCache();
            using var hangUp = new CancellationTokenSource(TimeSpan.FromMicroseconds(500 * i));
            try
            {
                await GenerateAsync(local, $"r{i}", prompt, peer.Info.GrpcEndpoint, cancellationToken: hangUp.Token);
            }
            catch (OperationCanceledException)
            {
                // Before, during or after the fetch.
            }
        }

        await AssertReleasedAsync(peer, local);
    }

    [Fact]
    public async Task The_service_speaks_as_its_protocol_says()
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp peer = await fixture.StartAsync(WorkerRole.Prefill, state);
        int[] prompt = Prompt(50, seed: 3);
        await using (IGeneration computed = peer.Engine.Submit(Request(prompt)))
        {
            await ReadAsync(computed);
        }

        // The generated client, not ours.
        using GrpcChannel channel = GrpcChannel.ForAddress(peer.Info.GrpcEndpoint);
        var client = new KvFetch.KvFetchClient(channel);
        KvFetchRequest request = Ask(peer, prompt);
        List<KvFetchMessage> messages = await AskAsync(client, request);
        KvLayout layout = peer.Engine.Runner.KvStore.Layout;
        Assert.Equal(3, messages[0].Found.Blocks);
        Assert.Equal(3 * layout.BlockBytes, messages[1..].Sum(message => message.Blocks.Payload.Length));

        request = Ask(peer, Prompt(50, seed: 4));
        Assert.Equal(0, Assert.Single(await AskAsync(client, request)).Found.Blocks);

        request.ModelFingerprint = "another";
        var error = await Assert.ThrowsAsync<RpcException>(() => AskAsync(client, request));
        Assert.Equal(StatusCode.FailedPrecondition, error.StatusCode);
        Assert.Contains("'another'", error.Status.Detail, StringComparison.Ordinal);
        Assert.Contains(peer.Info.ModelFingerprint, error.Status.Detail, StringComparison.Ordinal);
        await AssertReleasedAsync(peer);
    }

    [Theory]
    [InlineData("ftp://127.0.0.1:1")]
    [InlineData("/etc/passwd")]
    public async Task Only_addresses_of_the_web_are_asked(string address)
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp mixed = await fixture.StartAsync(WorkerRole.Mixed, state);
        GenerateRequest request = Generate("r", Prompt(40, 1), new Uri(address, UriKind.RelativeOrAbsolute), 1, isLocal: true);
        using var http = new HttpClient { BaseAddress = mixed.Info.HttpEndpoint };
        using HttpResponseMessage response = await http.PostAsync(GenerateRequest.Path, new ByteArrayContent(GenerateJson.Write(request)));
        Assert.Equal(400, (int)response.StatusCode);
        Assert.Contains("fetch_endpoint", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        using GrpcChannel channel = GrpcChannel.ForAddress(mixed.Info.GrpcEndpoint);
        PrefillRequest message = SequenceMapping.ToPrefillRequest(Request(Prompt(40, 1)), new SequenceId { RequestId = "r", Epoch = 1 }, mixed.Info.GrpcEndpoint);
        message.FetchEndpoint = address == "/etc/passwd" ? "etc/passwd" : address;
        var error = await Assert.ThrowsAsync<RpcException>(async () => await new Prefill.PrefillClient(channel).PrefillAsync(message));
        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
        Assert.Contains("fetch_endpoint", error.Status.Detail, StringComparison.Ordinal);
    }

    private static int[] Prompt(int length, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(512))];
    }

    private static GenerationRequest Request(int[] prompt) =>
        new() { Id = "r", Prompt = prompt, Sampling = new SamplingOptions { Temperature = 0 }, MaxTokens = 2 };

    private static KvFetchRequest Ask(WorkerApp peer, int[] prompt)
    {
        byte[] hashes = [.. BlockHash.Chain(BlockHash.Root(peer.Info.ModelFingerprint), prompt, BlockSize).SelectMany(hash =>
        {
            byte[] bytes = new byte[BlockHash.Size];
            hash.Write(bytes);
            return bytes;
        })];
        return new KvFetchRequest
        {
            ModelFingerprint = peer.Info.ModelFingerprint,
            LayoutFingerprint = peer.Info.LayoutFingerprint,
            BlockHashes = ByteString.CopyFrom(hashes),
        };
    }

    private static async Task<List<KvFetchMessage>> AskAsync(KvFetch.KvFetchClient client, KvFetchRequest request)
    {
        List<KvFetchMessage> messages = [];
        using var call = client.Fetch(request, deadline: DateTime.UtcNow + Eventually.DefaultDeadline);
        while (await call.ResponseStream.MoveNext(default))
        {
            messages.Add(call.ResponseStream.Current);
        }

        return messages;
    }

    private static GenerateRequest Generate(string id, int[] prompt, Uri? peer, int choices, bool isLocal) => new()
    {
        RequestId = id,
        Answer = new AnswerHeader("id", AnswerKind.Completion, "tiny", 1),
        Options = new AnswerOptions { ReturnTokenIds = true, TopLogprobs = 3 },
        Sequences = [.. Enumerable.Range(0, choices).Select(i => new GenerateSequence(i, 0, 5, 12))],
        Local = isLocal ? new LocalGeneration { Prompts = [prompt], Sampling = Sampling, IgnoreEos = true, FetchEndpoint = peer } : null,
    };

    private static SamplingOptions Sampling { get; } = new() { Temperature = 1, TopLogprobs = 3, Seed = 5 };

    // All choices have the same seed, so all are the same.
    private static async Task<(string Choice, int CachedTokens)> GenerateAsync(
        WorkerApp worker, string id, int[] prompt, Uri? peer = null, int choices = 1, bool isLocal = true, CancellationToken cancellationToken = default)
    {
        using var http = new HttpClient { BaseAddress = worker.Info.HttpEndpoint };
        using var content = new ByteArrayContent(GenerateJson.Write(Generate(id, prompt, peer, choices, isLocal)));
        using HttpResponseMessage response = await http.PostAsync(GenerateRequest.Path, content, cancellationToken);
        string body = await response.Content.ReadAsStringAsync(cancellationToken);
        Assert.True(response.IsSuccessStatusCode, body);
        JsonElement answer = JsonElement.Parse(body);
        string[] texts = [.. answer.GetProperty("choices").EnumerateArray().Select(c => $"{c.GetProperty("token_ids")} {c.GetProperty("logprobs")}").Distinct()];
        return (Assert.Single(texts), answer.GetProperty("usage").GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32());
    }

    private static async Task<PrefillResponse[]> PrefillAsync(WorkerApp prefill, WorkerApp decode, string id, int[] prompt, Uri peer, int choices)
    {
        using GrpcChannel channel = GrpcChannel.ForAddress(prefill.Info.GrpcEndpoint);
        var client = new Prefill.PrefillClient(channel);
        GenerationRequest request = new() { Id = id, Prompt = prompt, Sampling = Sampling, MaxTokens = 12, IgnoreEos = true };
        return await Task.WhenAll(Enumerable.Range(0, choices).Select(async i =>
        {
            PrefillRequest message = SequenceMapping.ToPrefillRequest(request, new SequenceId { RequestId = id, Index = i, Epoch = 1 }, decode.Info.GrpcEndpoint);
            message.FetchEndpoint = peer.ToString();
            return await client.PrefillAsync(message, deadline: DateTime.UtcNow + Eventually.DefaultDeadline);
        }));
    }

    private static async Task<JsonElement> StatusAsync(WorkerApp worker)
    {
        using var http = new HttpClient { BaseAddress = worker.Info.HttpEndpoint };
        return await http.GetFromJsonAsync<JsonElement>("/internal/status");
    }

    private static async Task ReadAsync(IGeneration generation)
    {
        await foreach (GeneratedToken _ in generation.ReadAllAsync())
        {
        }
    }

    private static async Task AssertReleasedAsync(params WorkerApp[] workers)
    {
        foreach (WorkerApp worker in workers)
        {
            await Eventually.TrueAsync(() => worker.Engine.Pool.Counts.Referenced == 0, state: () => worker.Engine.Pool.Counts.ToString());
        }
    }
}
