using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Grpc.Core;
using Grpc.Net.Client;
using LlmCluster.Cluster;
using LlmCluster.Cluster.Accounts;
using LlmCluster.Cluster.Directory;
using LlmCluster.Cluster.InMemory;
using LlmCluster.Cluster.Reservations;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Sampling;
using LlmCluster.KvTransfer;
using LlmCluster.Protocol.V1;
using LlmCluster.Testing;
using LlmCluster.Worker;
using LlmCluster.Worker.Sequences;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace LlmCluster.Tests.Integration.Worker;

/// <summary>Whole workers with a real model in this process, talking over real connections.</summary>
public sealed class WorkerAppTests(WorkerFixture fixture) : IClassFixture<WorkerFixture>
{
    private static readonly SamplingOptions Greedy = new() { Temperature = 0 };

    [Fact]
    public async Task Disaggregated_tokens_equal_those_of_one_worker()
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp prefill = await fixture.StartAsync(WorkerRole.Prefill, state);
        await using WorkerApp decode = await fixture.StartAsync(WorkerRole.Decode, state);
        await using WorkerApp mixed = await fixture.StartAsync(WorkerRole.Mixed, state);
        var random = new Random(3);
        int[] shared = [.. Enumerable.Range(0, 40).Select(_ => random.Next(512))];
        GenerationRequest[] requests = [.. Enumerable.Range(0, 24).Select(i => new GenerationRequest
        {
            Id = $"r{i}",
            Prompt = [.. shared.AsSpan(0, i % 3 * 20), .. Enumerable.Range(0, 1 + random.Next(150)).Select(_ => random.Next(512))],
            Sampling = i % 2 == 0 ? Greedy : new SamplingOptions { Temperature = 1, TopP = 0.9f, Seed = (ulong)i, TopLogprobs = 2 },
            MaxTokens = 1 + (i * 3),
        })];
        GeneratedToken[][] handedOver = await Task.WhenAll(requests.Select(request => Task.Run(() => DisaggregateAsync(prefill, decode, request))));
        for (int i = 0; i < requests.Length; i++)
        {
            await using IGeneration generation = mixed.Engine.Submit(requests[i]);
            Assert.Equivalent(await ReadAsync(generation), handedOver[i], strict: true);
        }

        await AssertReleasedAsync(prefill, decode, mixed);
    }

    [Fact]
    public async Task A_mixed_worker_can_hand_over_to_itself()
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp mixed = await fixture.StartAsync(WorkerRole.Mixed, state);
        GenerationRequest request = Request(50, 8);
        GeneratedToken[] tokens = await DisaggregateAsync(mixed, mixed, request);
        await using IGeneration generation = mixed.Engine.Submit(request);
        Assert.Equivalent(await ReadAsync(generation), tokens, strict: true);
        await AssertReleasedAsync(mixed);
    }

    [Fact]
    public async Task Workers_register_with_the_ports_that_they_have_and_leave()
    {
        await using var state = new InMemoryClusterState();
        WorkerApp worker = await fixture.StartAsync(WorkerRole.Decode, state, options => options with { Id = "decode-1" });
        WorkerSnapshot snapshot = Assert.Single(await state.GetWorkersAsync());
        Assert.Equal(worker.Info, snapshot.Info);
        Assert.Equal(("decode-1", WorkerRole.Decode, "tiny", 128, 16), (
            snapshot.Info.Id, snapshot.Info.Role, snapshot.Info.Model, snapshot.Info.TotalBlocks, snapshot.Info.BlockSize));
        Assert.Equal(WorkerStatus.Ready, snapshot.Status);
        Assert.Equal(128, snapshot.Load.AvailableBlocks);
        Assert.NotEqual(snapshot.Info.HttpEndpoint.Port, snapshot.Info.GrpcEndpoint.Port);
        Assert.Equal("127.0.0.1", snapshot.Info.HttpEndpoint.Host);
        await worker.DisposeAsync();
        Assert.Empty(await state.GetWorkersAsync());
    }

    [Fact]
    public async Task The_directory_learns_what_blocks_a_worker_holds_and_learns_it_anew_when_it_has_lost_it()
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp worker = await fixture.StartAsync(WorkerRole.Mixed, state);
        GenerationRequest request = Request(50, 20);
        ulong[] hashes = [.. BlockHash.Chain(BlockHash.Root(worker.Info.ModelFingerprint), request.Prompt, 16).Select(hash => hash.High)];
        await using (IGeneration generation = worker.Engine.Submit(request))
        {
            await ReadAsync(generation);
        }

        var held = new PrefixMatch(worker.Info.Id, 3, 3);
        await Eventually.TrueAsync(async () => (await state.Directory.FindAsync(hashes)) is [var match] && match == held);

        // Its entries are gone with its membership, which it takes again.
        await state.LeaveAsync(worker.Info.Id);
        await Eventually.TrueAsync(async () => (await state.Directory.FindAsync(hashes)) is [var match] && match == held);
        worker.Engine.Pool.ClearCache();
        await Eventually.TrueAsync(async () => (await state.Directory.FindAsync(hashes)).Count == 0);
        Assert.Equal(0, (await state.Directory.GetUseAsync()).Entries);
    }

    [Fact]
    public async Task Probes_and_status_tell_how_it_is()
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp worker = await fixture.StartAsync(WorkerRole.Mixed, state);
        using var http = new HttpClient { BaseAddress = worker.Info.HttpEndpoint };
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/health")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/ready")).StatusCode);
        JsonElement status = await http.GetFromJsonAsync<JsonElement>("/internal/status");
        Assert.Equal(worker.Info.Id, status.GetProperty("id").GetString());
        Assert.Equal("mixed", status.GetProperty("role").GetString());
        Assert.Equal("ready", status.GetProperty("status").GetString());
        Assert.Equal(0, status.GetProperty("waiting_for_transfer").GetInt32());
        Assert.Equal(0, status.GetProperty("predicted_tokens").GetInt64());
        JsonElement lengths = status.GetProperty("output_lengths");
        Assert.Equal((0, JsonValueKind.Null), (lengths.GetProperty("observed").GetInt64(), lengths.GetProperty("coverage_90").ValueKind));
        JsonElement blocks = status.GetProperty("kv_blocks");
        Assert.Equal((128, 128, 0, 0), (
            blocks.GetProperty("total").GetInt32(), blocks.GetProperty("free").GetInt32(), blocks.GetProperty("cached").GetInt32(), blocks.GetProperty("referenced").GetInt32()));

        using var client = new CancellationTokenSource();
        Task<IGeneration> waiting = Source(worker).ReceiveAsync("nobody", 0, client.Token).AsTask();
        status = await http.GetFromJsonAsync<JsonElement>("/internal/status");
        Assert.Equal(1, status.GetProperty("waiting_for_transfer").GetInt32());
        await client.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public async Task The_health_service_says_that_it_serves()
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp worker = await fixture.StartAsync(WorkerRole.Prefill, state);
        using GrpcChannel channel = GrpcChannel.ForAddress(worker.Info.GrpcEndpoint);
        var client = new Grpc.Health.V1.Health.HealthClient(channel);
        await Eventually.TrueAsync(async () =>
            (await client.CheckAsync(new Grpc.Health.V1.HealthCheckRequest())).Status == Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus.Serving);
    }

    [Fact]
    public async Task Roles_serve_only_what_is_theirs()
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp prefill = await fixture.StartAsync(WorkerRole.Prefill, state);
        await using WorkerApp decode = await fixture.StartAsync(WorkerRole.Decode, state);
        var error = await Assert.ThrowsAsync<RpcException>(() => PrefillAsync(decode, decode, Request(5, 1)));
        Assert.Equal(StatusCode.Unimplemented, error.StatusCode);

        // To a prefill worker nothing can be handed over.
        error = await Assert.ThrowsAsync<RpcException>(() => PrefillAsync(prefill, prefill, Request(5, 1)));
        Assert.NotEqual(StatusCode.OK, error.StatusCode);
        await AssertReleasedAsync(prefill, decode);
    }

    [Fact]
    public async Task Different_layouts_are_refused_with_both_names()
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp prefill = await fixture.StartAsync(WorkerRole.Prefill, state);
        var options = fixture.Options(WorkerRole.Decode) with { Cpu = new CpuOptions { Threads = 1, Kv = KvDtype.F32, BlockSize = 8 } };
        await using WorkerApp decode = await WorkerApp.StartAsync(options, state, logging: _ => { });
        var error = await Assert.ThrowsAsync<RpcException>(() => PrefillAsync(prefill, decode, Request(20, 4)));
        Assert.Equal(StatusCode.FailedPrecondition, error.StatusCode);
        Assert.Contains(prefill.Info.LayoutFingerprint, error.Status.Detail, StringComparison.Ordinal);
        Assert.Contains(decode.Info.LayoutFingerprint, error.Status.Detail, StringComparison.Ordinal);
        await AssertReleasedAsync(prefill, decode);
    }

    [Fact]
    public async Task A_prompt_that_can_never_be_served_is_an_invalid_argument()
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp mixed = await fixture.StartAsync(WorkerRole.Mixed, state);
        var error = await Assert.ThrowsAsync<RpcException>(() => PrefillAsync(mixed, mixed, Request(5000, 1)));
        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
        Assert.Contains("5000 tokens", error.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_call_that_passes_its_deadline_releases_everything()
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp prefill = await fixture.StartAsync(WorkerRole.Prefill, state);
        await using WorkerApp decode = await fixture.StartAsync(WorkerRole.Decode, state);
        using (decode.Engine.Pool.TryReserve([], 128, out _))
        {
            var error = await Assert.ThrowsAsync<RpcException>(() => PrefillAsync(prefill, decode, Request(100, 4), TimeSpan.FromMilliseconds(500)));
            Assert.Equal(StatusCode.DeadlineExceeded, error.StatusCode);
            await AssertReleasedAsync(prefill);
        }

        await AssertReleasedAsync(decode);
    }

    [Fact]
    public async Task An_ending_worker_tells_the_cluster_and_finishes_what_it_has()
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp worker = await fixture.StartAsync(WorkerRole.Mixed, state);
        await using IGeneration generation = worker.Engine.Submit(Request(20, 300));
        ValueTask ending = worker.DisposeAsync();
        await Eventually.TrueAsync(async () => (await state.GetWorkersAsync()) is [{ Status: WorkerStatus.Draining }] or []);
        GeneratedToken[] tokens = await ReadAsync(generation);
        Assert.Equal(FinishReason.Length, tokens[^1].FinishReason);
        await ending;
        Assert.Empty(await state.GetWorkersAsync());
    }

    [Fact]
    public async Task What_an_ending_worker_can_not_finish_in_time_fails()
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp decode = await fixture.StartAsync(
            WorkerRole.Decode, state, options => options with { ShutdownTimeout = TimeSpan.FromMilliseconds(100) });
        Task<IGeneration> waiting = Source(decode).ReceiveAsync("never", 0, default).AsTask();
        await using IGeneration running = decode.Engine.Submit(Request(20, 4000));
        await decode.DisposeAsync().AsTask().WaitAsync(Eventually.DefaultDeadline);
        var waited = await Assert.ThrowsAsync<GenerationException>(() => waiting.WaitAsync(Eventually.DefaultDeadline));
        Assert.Equal(GenerationError.Unavailable, waited.Error);
        var ran = await Assert.ThrowsAsync<GenerationException>(() => ReadAsync(running));
        Assert.Equal(GenerationError.Unavailable, ran.Error);
    }

    [Fact]
    public async Task A_cluster_state_that_fails_does_not_end_the_worker()
    {
        await using var inner = new InMemoryClusterState();
        await using var state = new FlakyState(inner) { Fails = true };
        await using WorkerApp worker = await WorkerApp.StartAsync(
            fixture.Options(WorkerRole.Mixed) with { Lease = TimeSpan.FromMilliseconds(300), LoadInterval = TimeSpan.FromMilliseconds(100) }, state, fixture.Model, _ => { });
        using var http = new HttpClient { BaseAddress = worker.Info.HttpEndpoint };
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await http.GetAsync("/ready")).StatusCode);
        Assert.False(worker.Joined.IsCompleted);
        state.Fails = false;
        await worker.Joined.WaitAsync(Eventually.DefaultDeadline);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/ready")).StatusCode);

        // The lease runs out while the state can't be reached, and is taken again afterwards.
        state.Fails = true;
        await Eventually.TrueAsync(async () => (await inner.GetWorkersAsync()).Count == 0);
        state.Fails = false;
        await Eventually.TrueAsync(async () => (await inner.GetWorkersAsync()).Count == 1);
    }

    [Fact]
    public async Task A_port_that_is_taken_fails_the_start()
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp first = await fixture.StartAsync(WorkerRole.Mixed, state);
        int port = first.Info.HttpEndpoint.Port;
        await Assert.ThrowsAsync<IOException>(() => fixture.StartAsync(WorkerRole.Mixed, state, options => options with { HttpPort = port }));
        Assert.Single(await state.GetWorkersAsync());
    }

    private static GenerationRequest Request(int promptTokens, int maxTokens) => new()
    {
        Id = "request",
        Prompt = [.. Enumerable.Range(0, promptTokens).Select(i => i * 7 % 512)],
        Sampling = Greedy,
        MaxTokens = maxTokens,
    };

    private static ISequenceSource Source(WorkerApp worker) => worker.Services.GetRequiredService<ISequenceSource>();

    private static async Task<PrefillResponse> PrefillAsync(WorkerApp prefill, WorkerApp decode, GenerationRequest request, TimeSpan? deadline = null)
    {
        using GrpcChannel channel = GrpcChannel.ForAddress(prefill.Info.GrpcEndpoint);
        var client = new Prefill.PrefillClient(channel);
        var id = new SequenceId { RequestId = request.Id, Epoch = 1 };
        return await client.PrefillAsync(
            SequenceMapping.ToPrefillRequest(request, id, decode.Info.GrpcEndpoint), deadline: DateTime.UtcNow + (deadline ?? Eventually.DefaultDeadline));
    }

    private static async Task<GeneratedToken[]> DisaggregateAsync(WorkerApp prefill, WorkerApp decode, GenerationRequest request)
    {
        Task<PrefillResponse> leg1 = PrefillAsync(prefill, decode, request);
        await using IGeneration generation = await Source(decode).ReceiveAsync(request.Id, 0, default);
        GeneratedToken[] tokens = await ReadAsync(generation);
        await leg1;
        return tokens;
    }

    private static async Task<GeneratedToken[]> ReadAsync(IGeneration generation)
    {
        var tokens = new List<GeneratedToken>();
        await foreach (GeneratedToken token in generation.ReadAllAsync())
        {
            tokens.Add(token);
        }

        return [.. tokens];
    }

    private static async Task AssertReleasedAsync(params WorkerApp[] workers)
    {
        foreach (WorkerApp worker in workers)
        {
            await Eventually.TrueAsync(() => worker.Engine.Pool.Counts.Referenced == 0, state: () => worker.Engine.Pool.Counts.ToString());
        }
    }

    private sealed class FlakyState(IClusterState inner) : IClusterState
    {
        private volatile bool _fails;

        public IPrefixDirectory Directory => inner.Directory;

        public IReservations Reservations => inner.Reservations;

        public IAccounts Accounts => inner.Accounts;

        public bool Fails
        {
            get => _fails;
            set => _fails = value;
        }

        public ValueTask HeartbeatAsync(WorkerSnapshot worker, TimeSpan lease, CancellationToken cancellationToken = default) =>
            _fails ? throw new ClusterStateException("The state can't be reached.") : inner.HeartbeatAsync(worker, lease, cancellationToken);

        public ValueTask LeaveAsync(string workerId, CancellationToken cancellationToken = default) => inner.LeaveAsync(workerId, cancellationToken);

        public ValueTask<IReadOnlyList<WorkerSnapshot>> GetWorkersAsync(CancellationToken cancellationToken = default) => inner.GetWorkersAsync(cancellationToken);

        public IAsyncEnumerable<long> WatchAsync(CancellationToken cancellationToken = default) => inner.WatchAsync(cancellationToken);

        public ValueTask<long> NextAsync(string counter, CancellationToken cancellationToken = default) => inner.NextAsync(counter, cancellationToken);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
