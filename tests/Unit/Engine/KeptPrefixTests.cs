using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using Xunit;
using static LlmCluster.Tests.Unit.Engine.EngineTestExtensions;

namespace LlmCluster.Tests.Unit.Engine;

/// <summary>Sequences that come with references on their leading blocks.</summary>
public class KeptPrefixTests
{
    private static readonly EngineOptions Options = new() { MaxBatchTokens = 24, MaxRunning = 8, MaxStepTime = TimeSpan.Zero };

    [Fact]
    public async Task Blocks_that_are_kept_count_as_cached_and_are_given_back_once()
    {
        using var model = new HashModel(blocks: 12);
        await using var engine = new InferenceEngine(model, Options);
        GenerationRequest request = Request(Prompt(18));
        await engine.Submit(request).ReadToEndAsync();
        BlockLease prefix = engine.Pool.TakeCached(Hashes(model, request.Prompt))!;
        Assert.Equal(4, prefix.Blocks.Length);
        await using IGeneration generation = engine.Submit(request, prefix);
        Oracle.AssertSame(Oracle.Generate(request, model), await generation.ReadToEndAsync(), "with kept blocks");
        Assert.Equal(16, generation.CachedTokens);
        await engine.AssertNoBlockHeldAsync();
        Assert.Throws<ObjectDisposedException>(() => prefix.Blocks.Length);
    }

    [Fact]
    public async Task Sequences_that_keep_the_whole_pool_among_them_all_get_on()
    {
        using var model = new HashModel(blocks: 12);
        await using var engine = new InferenceEngine(model, Options);
        GenerationRequest[] requests = [.. Enumerable.Range(0, 3).Select(i => Request(Prompt(16, seed: i), maxTokens: 12, id: $"r{i}"))];

        // Four blocks each, which are all that there are; each sequence needs more.
        BlockLease[] prefixes = [.. requests.Select(_ => engine.Pool.TryReserve([], 4, out int _)!)];

        var generations = requests.Select((request, i) => engine.Submit(request, prefixes[i])).ToList();
        List<GeneratedToken>[] answers = await Task.WhenAll(generations.Select(generation => generation.ReadToEndAsync()));
        for (int i = 0; i < requests.Length; i++)
        {
            Oracle.AssertSame(Oracle.Generate(requests[i], model), answers[i], requests[i].Id);
        }

        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task A_running_sequence_that_grows_takes_the_room_of_those_who_wait()
    {
        using var model = new HashModel(blocks: 10);
        var gate = new StepGate(model);
        await using var engine = new InferenceEngine(model, Options with { MaxRunning = 1, AdmissionQuantile = 0 });
        GenerationRequest first = Request(Prompt(12), maxTokens: 20, id: "first");
        await using IGeneration running = engine.Submit(first);
        await gate.AtStepAsync(1);
        BlockLease prefix = engine.Pool.TryReserve([], engine.Pool.Counts.Available, out _)!;
        GenerationRequest second = Request(Prompt(10, seed: 2), id: "second");
        await using IGeneration waiting = engine.Submit(second, prefix);
        gate.Open();
        Oracle.AssertSame(Oracle.Generate(first, model), await running.ReadToEndAsync(), "first");
        Oracle.AssertSame(Oracle.Generate(second, model), await waiting.ReadToEndAsync(), "second");
        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task What_is_refused_cancelled_or_stopped_gives_the_blocks_back()
    {
        using var model = new HashModel(blocks: 10);
        var engine = new InferenceEngine(model, Options);
        await using (engine)
        {
            BlockLease all = engine.Pool.TryReserve([], 6, out _)!;
            Assert.Throws<GenerationException>(() => engine.Submit(Request([]), Take(engine)));
            IGeneration waiting = engine.Submit(Request(Prompt(30)), Take(engine));
            await waiting.DisposeAsync();
            using var cancellation = new CancellationTokenSource();
            engine.SubmitPrefill(Request(Prompt(30)), Take(engine), new Sink(), cancellation.Token);
            await cancellation.CancelAsync();
            await UntilAsync(() => engine.Status is { Waiting: 0, Running: 0 }, "the prompt is given up");
            Assert.Equal(6, engine.Pool.Counts.Referenced);
            all.Dispose();
        }

        Assert.Throws<GenerationException>(() => engine.Submit(Request(Prompt(5)), Take(engine)));
        Assert.Equal(0, engine.Pool.Counts.Referenced);
    }

    private sealed class Sink : IPrefillSink
    {
        public void OnStarted(BlockLease blocks, int cachedBlocks) => blocks.Dispose();

        public void OnBlocksWritten(int layer, int firstBlock, int count)
        {
        }

        public void OnCompleted(GeneratedToken firstToken)
        {
        }

        public void OnFailed(Exception error)
        {
        }
    }

    private static BlockLease Take(InferenceEngine engine) => engine.Pool.TryReserve([], 1, out _)!;

    private static BlockHash[] Hashes(HashModel model, int[] prompt) =>
        BlockHash.Chain(BlockHash.Root(model.Fingerprint), prompt, model.KvStore.Layout.BlockSize);
}
