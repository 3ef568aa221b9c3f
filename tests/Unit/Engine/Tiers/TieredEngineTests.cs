using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.KvCache.Tiers;
using LlmCluster.Testing;
using Xunit;
using static LlmCluster.Tests.Unit.Engine.EngineTestExtensions;

namespace LlmCluster.Tests.Unit.Engine.Tiers;

/// <summary>An engine whose pool has tiers below it: blocks that were evicted come back, and tokens stay the same.</summary>
public sealed class TieredEngineTests : IDisposable
{
    private const int BlockSize = 4;

    // Whoever leaves room for others to grow is seldom under pressure.
    private static readonly EngineOptions Options = new() { MaxBatchTokens = 24, MaxRunning = 8, MaxStepTime = TimeSpan.Zero, AdmissionQuantile = 0 };
    private static readonly KvTierOptions Host = new() { HostBlocks = 200, LoadTimeout = TimeSpan.FromSeconds(60) };

    private readonly TempDirectory _directory = new("tiers");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task An_evicted_prefix_comes_back_and_counts_as_cached()
    {
        using var model = new HashModel(blocks: 10);
        await using var engine = new InferenceEngine(model, Options, tiers: Host);
        GenerationRequest request = Request(Prompt(30), maxTokens: 6);
        await GenerateAsync(engine, model, request, expectedCached: 0);
        await EvictAsync(engine, model);
        Assert.Equal(0, engine.Pool.CountPrefix(Hashes(model, request)));

        // All but the block with the last token.
        await GenerateAsync(engine, model, request, expectedCached: 28);

        Assert.Equal(7, engine.Tiers!.Host.Promotions);
        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task A_restarted_engine_finds_prefixes_on_the_disk()
    {
        KvTierOptions options = Host with { DiskPath = _directory.Path };
        using var model = new HashModel(blocks: 30);
        GenerationRequest request = Request(Prompt(30), maxTokens: 6);
        await using (var engine = new InferenceEngine(model, Options, tiers: options))
        {
            await GenerateAsync(engine, model, request, expectedCached: 0);
        }

        await using var restarted = new InferenceEngine(model, Options, tiers: options);
        await GenerateAsync(restarted, model, request, expectedCached: 28);
        Assert.Equal((7, 7), (restarted.Tiers!.Disk!.Hits, restarted.Tiers.Host.Promotions));
    }

    [Fact]
    public async Task A_damaged_entry_is_computed_again()
    {
        KvTierOptions options = Host with { DiskPath = _directory.Path };
        using var model = new HashModel(blocks: 30);
        GenerationRequest request = Request(Prompt(30), maxTokens: 6);
        await using (var engine = new InferenceEngine(model, Options, tiers: options))
        {
            await GenerateAsync(engine, model, request, expectedCached: 0);
        }

        string damaged = Directory.GetFiles(_directory.Path, $"{Hashes(model, request)[3]}.kv", SearchOption.AllDirectories).Single();
        using (FileStream file = File.OpenWrite(damaged))
        {
            file.SetLength(file.Length / 2);
        }

        await using var restarted = new InferenceEngine(model, Options, tiers: options);
        await GenerateAsync(restarted, model, request, expectedCached: 12);
        Assert.Equal(1, restarted.Tiers!.Disk!.Corrupt);
    }

    [Fact]
    public async Task Under_pressure_next_to_nothing_is_computed_twice()
    {
        using var model = new HashModel(blocks: 26);
        var log = new CountingLogger();
        await using var engine = new InferenceEngine(model, Options with { MaxRunning = 8, MaxBatchTokens = 64 }, log, Host);
        using var submitted = new ManualResetEventSlim();
        model.BeforeStep = _ =>
        {
            Assert.True(submitted.Wait(Deadline));
            BlockPoolCounts counts = engine.Pool.Counts;
            Assert.Equal(counts.Total, counts.Free + counts.Cached + counts.Referenced);
        };
        GenerationRequest[] requests = Pressure();
        IGeneration[] generations = [.. requests.Select(engine.Submit)];
        submitted.Set();

        List<GeneratedToken>[] answers = await Task.WhenAll(generations.Select(generation => generation.ReadToEndAsync()));

        for (int i = 0; i < requests.Length; i++)
        {
            Oracle.AssertSame(Oracle.Generate(requests[i], model), answers[i], requests[i].Id);
        }

        // The last token is never computed. Who gave its blocks up computes what its last block held, no more.
        int least = requests.Zip(answers).Sum(pair => pair.First.Prompt.Length + pair.Second.Count - 1);
        Assert.True(log.Preemptions >= 8, $"{log.Preemptions} preemptions");
        Assert.InRange(model.ComputedTokens, least, least + (log.Preemptions * (BlockSize - 1)));
        Assert.Equal(0, log.Errors);
        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task Without_tiers_the_same_pressure_costs_whole_prompts()
    {
        using var model = new HashModel(blocks: 26);
        using var submitted = new ManualResetEventSlim();
        model.BeforeStep = _ => Assert.True(submitted.Wait(Deadline));
        var log = new CountingLogger();
        await using var engine = new InferenceEngine(model, Options with { MaxRunning = 8, MaxBatchTokens = 64 }, log);
        GenerationRequest[] requests = Pressure();
        IGeneration[] generations = [.. requests.Select(engine.Submit)];
        submitted.Set();

        List<GeneratedToken>[] answers = await Task.WhenAll(generations.Select(generation => generation.ReadToEndAsync()));

        int least = requests.Zip(answers).Sum(pair => pair.First.Prompt.Length + pair.Second.Count - 1);
        Assert.True(model.ComputedTokens > least + (log.Preemptions * (BlockSize - 1)), $"{model.ComputedTokens} tokens, {least} at least, {log.Preemptions} preemptions");
        Assert.Null(engine.Tiers);
    }

    [Fact]
    public async Task Cancelling_while_blocks_are_loaded_leaks_none()
    {
        using var model = new HashModel(blocks: 10);
        await using var engine = new InferenceEngine(model, Options, tiers: Host);
        GenerationRequest request = Request(Prompt(30), maxTokens: 6);
        await GenerateAsync(engine, model, request, expectedCached: 0);
        await EvictAsync(engine, model);
        using var gate = new Gate(model);
        IGeneration loading = engine.Submit(request);
        await gate.EnteredAsync();

        await loading.DisposeAsync().AsTask().WaitAsync(Deadline);

        // The load keeps what it may still be writing to.
        Assert.NotEqual(0, engine.Pool.Counts.Referenced);
        gate.Open();
        await engine.AssertNoBlockHeldAsync();
        await GenerateAsync(engine, model, request, expectedCached: 28);
    }

    [Fact]
    public async Task Stopping_while_blocks_are_loaded_ends_the_sequence()
    {
        using var model = new HashModel(blocks: 10);
        var engine = new InferenceEngine(model, Options, tiers: Host);
        GenerationRequest request = Request(Prompt(30), maxTokens: 6);
        await GenerateAsync(engine, model, request, expectedCached: 0);
        await EvictAsync(engine, model);
        using var gate = new Gate(model);
        IGeneration loading = engine.Submit(request);
        await gate.EnteredAsync();

        Task stopping = engine.DisposeAsync().AsTask();
        var error = await Assert.ThrowsAsync<GenerationException>(() => loading.ReadToEndAsync());
        Assert.Equal(GenerationError.Unavailable, error.Error);
        gate.Open();
        await stopping.WaitAsync(Deadline);
        Assert.Equal(0, engine.Pool.Counts.Referenced);
    }

    [Fact]
    public async Task Others_are_computed_while_one_waits_for_its_blocks_and_a_late_one_computes_itself()
    {
        using var model = new HashModel(blocks: 24);
        await using var engine = new InferenceEngine(model, Options, tiers: Host with { LoadTimeout = TimeSpan.FromMilliseconds(100) });
        GenerationRequest first = Request(Prompt(22), maxTokens: 4, id: "first");
        GenerationRequest second = Request(Prompt(22, seed: 5), maxTokens: 4, id: "second");
        await GenerateAsync(engine, model, first, expectedCached: 0);
        await GenerateAsync(engine, model, second, expectedCached: 0);
        await EvictAsync(engine, model);
        using var gate = new Gate(model);
        IGeneration loading = engine.Submit(first);
        await gate.EnteredAsync();

        await GenerateAsync(engine, model, Request(Prompt(9, seed: 6), maxTokens: 5, id: "other"), expectedCached: 0);

        // Its load is behind the one that hangs.
        await GenerateAsync(engine, model, second, expectedCached: 0);
        gate.Open();
        Oracle.AssertSame(Oracle.Generate(first, model), await loading.ReadToEndAsync(), first.Id);
        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task A_prefix_is_loaded_once_for_all_who_want_it()
    {
        using var model = new HashModel(blocks: 24);
        await using var engine = new InferenceEngine(model, Options, tiers: Host);
        GenerationRequest request = Request(Prompt(22), maxTokens: 4);
        await GenerateAsync(engine, model, request, expectedCached: 0);
        await EvictAsync(engine, model);
        using var gate = new Gate(model);
        IGeneration[] generations = [.. Enumerable.Range(0, 4).Select(i => engine.Submit(request with { Id = $"{i}" }))];
        await gate.EnteredAsync();
        await UntilAsync(() => engine.Status is { Running: 1, Waiting: 3 }, "the others wait for the first");
        gate.Open();

        foreach (IGeneration generation in generations)
        {
            Oracle.AssertSame(Oracle.Generate(request, model), await generation.ReadToEndAsync(), request.Id);
            Assert.Equal(20, generation.CachedTokens);
        }

        Assert.Equal(5, engine.Tiers!.Host.Promotions);
        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task Both_ends_of_a_transfer_use_what_their_tiers_hold()
    {
        using var prefillModel = new HashModel(blocks: 10);
        using var decodeModel = new HashModel(blocks: 10);
        await using var prefill = new InferenceEngine(prefillModel, Options, tiers: Host);
        await using var decode = new InferenceEngine(decodeModel, Options, tiers: Host);
        GenerationRequest request = Request(Prompt(30), maxTokens: 6);
        await GenerateAsync(prefill, prefillModel, request, expectedCached: 0);
        await GenerateAsync(decode, decodeModel, request with { Prompt = request.Prompt[..17] }, expectedCached: 0);
        await EvictAsync(prefill, prefillModel);
        await EvictAsync(decode, decodeModel);

        (BlockLease blocks, int cached) = await decode.ReserveAsync(Hashes(decodeModel, request), 8, CancellationToken.None);
        Assert.Equal(4, cached);
        var sink = new TransferSink(prefillModel.Store, decodeModel.Store, blocks, cached);
        prefill.SubmitPrefill(request, sink, CancellationToken.None);
        GeneratedToken first = await sink.Completed.WaitAsync(Deadline);
        Assert.Equal(7, sink.CachedBlocks);

        IGeneration generation = decode.Adopt(request, blocks, first, sink.CachedBlocks * BlockSize);
        Oracle.AssertSame(Oracle.Generate(request, decodeModel), await generation.ReadToEndAsync(), request.Id);
        await prefill.AssertNoBlockHeldAsync();
        await decode.AssertNoBlockHeldAsync();
    }

    // More than the pool holds, all at once.
    private static GenerationRequest[] Pressure() =>
        [.. Enumerable.Range(0, 16).Select(i => Request(Prompt(10 + i, seed: i), maxTokens: 30, id: $"{i}"))];

    private static BlockHash[] Hashes(HashModel model, GenerationRequest request) =>
        BlockHash.Chain(BlockHash.Root(model.Fingerprint), request.Prompt, BlockSize);

    private static async Task GenerateAsync(InferenceEngine engine, HashModel model, GenerationRequest request, int expectedCached)
    {
        IGeneration generation = engine.Submit(request);
        Oracle.AssertSame(Oracle.Generate(request, model), await generation.ReadToEndAsync(), request.Id);
        Assert.Equal(expectedCached, generation.CachedTokens);
    }

    // Takes every block, so that none keeps what it held.
    private static async Task EvictAsync(InferenceEngine engine, HashModel model)
    {
        await engine.AssertNoBlockHeldAsync();
        (BlockLease all, _) = await engine.ReserveAsync([], model.Store.BlockCount, CancellationToken.None);
        all.Dispose();
    }

    /// <summary>Holds the first block that a load writes until the test lets it go.</summary>
    private sealed class Gate : IDisposable
    {
        private readonly SemaphoreSlim _entered = new(0);
        private readonly ManualResetEventSlim _open = new();

        public Gate(HashModel model) => model.Store.BeforeWrite = _ =>
        {
            _entered.Release();
            Assert.True(_open.Wait(Deadline), "The test never let the load go.");
        };

        public async Task EnteredAsync() => Assert.True(await _entered.WaitAsync(Deadline), "No load began.");

        public void Open() => _open.Set();

        public void Dispose() => _open.Set();
    }
}
