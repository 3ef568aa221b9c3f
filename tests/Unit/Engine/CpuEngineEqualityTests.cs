using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.KvCache.Tiers;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Sampling;
using LlmCluster.Testing;
using LlmCluster.Tests.Unit.Cpu;
using Xunit;
using static LlmCluster.Tests.Unit.Engine.EngineTestExtensions;

namespace LlmCluster.Tests.Unit.Engine;

/// <summary>
/// On a real forward pass: many sequences at once, in a pool that is too small for them, and split over two engines,
/// give to the bit what each gives alone, log probabilities included.
/// </summary>
public sealed class CpuEngineEqualityTests : IDisposable
{
    private readonly TestModel _files = new(TestModel.Odd(ModelArchitecture.Qwen3));
    private readonly CpuModel _model;
    private readonly List<GenerationRequest> _requests;
    private readonly Random _random = new(9);

    public CpuEngineEqualityTests()
    {
        _model = CpuModel.Load(_files.Checkpoint, new CpuOptions { Threads = 2, BlockSize = 4 });
        int[][] shared = [Tokens(150), Tokens(40)];
        _requests = [.. Enumerable.Range(0, 40).Select(i => NewRequest(i, shared))];
    }

    public void Dispose()
    {
        _model.Dispose();
        _files.Dispose();
    }

    [Fact]
    public async Task Concurrent_and_preempted_sequences_equal_those_run_one_by_one()
    {
        List<GeneratedToken>[] expected = await OneByOneAsync();
        using var runner = new CpuModelRunner(_model, blockCount: 60);
        var log = new CountingLogger();
        await using var engine = new InferenceEngine(runner, new EngineOptions { MaxBatchTokens = 70, MaxRunning = 20, AdmissionQuantile = 0 }, log);

        List<GeneratedToken>[] actual = await Task.WhenAll(_requests.Select(r => engine.Submit(r).ReadToEndAsync()));

        AssertSame(expected, actual);
        Assert.True(log.Preemptions > 0);
        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task So_do_those_whose_blocks_come_back_from_tiers()
    {
        List<GeneratedToken>[] expected = await OneByOneAsync();
        using var directory = new TempDirectory("tiers");
        var tiers = new KvTierOptions { HostBlocks = 100, DiskPath = directory.Path };
        var options = new EngineOptions { MaxBatchTokens = 70, MaxRunning = 20, AdmissionQuantile = 0 };
        for (int run = 0; run < 2; run++)
        {
            // The second one begins with what the first one left on the disk.
            using var runner = new CpuModelRunner(_model, blockCount: 60);
            var log = new CountingLogger();
            await using var engine = new InferenceEngine(runner, options, log, tiers);

            List<GeneratedToken>[] actual = await Task.WhenAll(_requests.Select(r => engine.Submit(r).ReadToEndAsync()));

            AssertSame(expected, actual);
            Assert.True(log.Preemptions > 0);
            Assert.Equal(0, log.Errors);
            Assert.True(engine.Tiers!.Host.Promotions > 0, $"{engine.Tiers}");
            Assert.True(run == 0 || engine.Tiers.Disk!.Hits > 0, $"{engine.Tiers}");
            await engine.AssertNoBlockHeldAsync();
        }
    }

    [Fact]
    public async Task Sequences_split_over_two_engines_equal_those_run_one_by_one()
    {
        List<GeneratedToken>[] expected = await OneByOneAsync();
        using var prefillRunner = new CpuModelRunner(_model, blockCount: 80);
        using var decodeRunner = new CpuModelRunner(_model, blockCount: 80);
        await using var prefill = new InferenceEngine(prefillRunner, new EngineOptions { MaxBatchTokens = 48, MaxRunning = 8 });
        await using var decode = new InferenceEngine(decodeRunner, new EngineOptions { MaxBatchTokens = 48, MaxRunning = 8 });

        List<GeneratedToken>[] actual = await Task.WhenAll(_requests.Select(async request =>
        {
            BlockHash[] prefix = BlockHash.Chain(BlockHash.Root(_model.Fingerprint), request.Prompt, decode.Pool.BlockSize);
            (BlockLease blocks, int cached) = await decode.ReserveAsync(
                prefix, _model.KvLayout.BlocksFor(request.Prompt.Length), CancellationToken.None);
            var sink = new TransferSink(prefillRunner.KvStore, decodeRunner.KvStore, blocks, cached);
            prefill.SubmitPrefill(request, sink, CancellationToken.None);
            GeneratedToken first = await sink.Completed.WaitAsync(Deadline);
            return await decode.Adopt(request, blocks, first, sink.CachedBlocks * decode.Pool.BlockSize).ReadToEndAsync();
        }));

        AssertSame(expected, actual);
        await prefill.AssertNoBlockHeldAsync();
        await decode.AssertNoBlockHeldAsync();
    }

    private async Task<List<GeneratedToken>[]> OneByOneAsync()
    {
        using var runner = new CpuModelRunner(_model, blockCount: 64);
        await using var engine = new InferenceEngine(runner, new EngineOptions());
        List<List<GeneratedToken>> answers = [];
        foreach (GenerationRequest request in _requests)
        {
            engine.Pool.ClearCache();
            answers.Add(await engine.Submit(request).ReadToEndAsync());
        }

        return [.. answers];
    }

    private void AssertSame(List<GeneratedToken>[] expected, List<GeneratedToken>[] actual)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.NotEmpty(expected[i]);
            Oracle.AssertSame(expected[i], actual[i], _requests[i].Id);
        }

        // Not all the same, and not all ended by their stop token at once.
        Assert.True(expected.Select(e => e[0].TokenId).Distinct().Count() > 5);
        Assert.True(expected.Average(e => e.Count) > 5);
    }

    private GenerationRequest NewRequest(int index, int[][] shared)
    {
        int[] common = shared[index % 2];
        int[] prompt = index % 3 == 0 ? Tokens(_random.Next(1, 120)) : [.. common[.._random.Next(common.Length)], .. Tokens(_random.Next(1, 20))];
        return Request(prompt, maxTokens: _random.Next(1, 40), id: $"request {index}") with
        {
            StopTokenIds = [_random.Next(301), _random.Next(301)],
            MinTokens = 0,
            Sampling = (index % 4) switch
            {
                0 => new SamplingOptions { Temperature = 0, TopLogprobs = 4 },
                1 => new SamplingOptions { Temperature = 1.2f, Seed = (ulong)index, TopLogprobs = 0 },
                2 => new SamplingOptions { TopP = 0.8f, TopK = 50, Seed = (ulong)index, RepetitionPenalty = 1.1f },
                _ => new SamplingOptions { MinP = 0.02f, Seed = (ulong)index, PresencePenalty = 0.5f, TopLogprobs = 1 },
            },
        };
    }

    private int[] Tokens(int count) => TestModel.RandomTokens(_random, count, 301);
}
