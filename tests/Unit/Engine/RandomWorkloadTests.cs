using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using Xunit;
using static LlmCluster.Tests.Unit.Engine.EngineTestExtensions;

namespace LlmCluster.Tests.Unit.Engine;

/// <summary>
/// Random requests on random small engines, submitted and cancelled from many threads: every answer is the oracle's,
/// and in the end every block is given back.
/// </summary>
public class RandomWorkloadTests
{
    private const int Workloads = 150;

    [Fact]
    public async Task One_engine_answers_as_the_oracle_does()
    {
        int preemptions = 0;
        int overgrown = 0;
        for (int seed = 0; seed < Workloads; seed++)
        {
            var workload = new Workload(seed);
            using HashModel model = workload.NewModel();
            var log = new CountingLogger();
            await using var engine = new InferenceEngine(model, workload.Options, log);
            List<GenerationRequest> requests = workload.Requests(workload.Next(20) + 4);
            int[] patience = [.. requests.Select(_ => workload.Next(4) == 0 ? workload.Next(12) : int.MaxValue)];

            bool[] failed = await Task.WhenAll(requests.Select(
                (request, i) => Task.Run(() => GenerateAsync(engine, model, request, patience[i])))).WaitAsync(Deadline);

            overgrown += failed.Count(f => f);
            preemptions += log.Preemptions;
            Assert.True(model.LargestBatch <= workload.Options.MaxBatchTokens);
            Assert.True(model.MostSequences <= workload.Options.MaxRunning);
            await engine.AssertNoBlockHeldAsync();
        }

        // The workloads are hard enough to mean something.
        Assert.True(preemptions > 50, $"{preemptions} preemptions");
        Assert.True(overgrown > 10, $"{overgrown} sequences outgrew the pool");
    }

    [Fact]
    public async Task A_prefill_and_a_decode_engine_answer_as_the_oracle_does()
    {
        int adopted = 0;
        for (int seed = 1000; seed < 1000 + Workloads; seed++)
        {
            var workload = new Workload(seed);
            using HashModel prefillModel = workload.NewModel();
            using HashModel decodeModel = workload.NewModel();
            await using var prefill = new InferenceEngine(prefillModel, workload.Options);
            await using var decode = new InferenceEngine(decodeModel, workload.Options);
            List<GenerationRequest> requests = workload.Requests(workload.Next(16) + 4);
            int[] kinds = [.. requests.Select(_ => workload.Next(8))];

            bool[] transferred = await Task.WhenAll(requests.Select((request, i) => Task.Run(async () =>
            {
                switch (kinds[i])
                {
                    case 0:
                        await GenerateAsync(decode, decodeModel, request, int.MaxValue);
                        return false;
                    case 1:
                        await GenerateAsync(prefill, prefillModel, request, int.MaxValue);
                        return false;
                    default:
                        return await TransferAsync(prefill, decode, decodeModel, request, cancelEarly: kinds[i] == 2);
                }
            }))).WaitAsync(Deadline);

            adopted += transferred.Count(t => t);
            await prefill.AssertNoBlockHeldAsync();
            await decode.AssertNoBlockHeldAsync();
        }

        Assert.True(adopted > 500, $"{adopted} sequences were handed over");
    }

    /// <summary>Reads so many tokens, then hangs up.</summary>
    /// <returns>Whether the sequence outgrew the pool, as it should.</returns>
    internal static async Task<bool> GenerateAsync(InferenceEngine engine, HashModel model, GenerationRequest request, int patience)
    {
        List<GeneratedToken> expected = Oracle.Generate(request, model);
        await using IGeneration generation = engine.Submit(request);
        return await ReadAsync(generation, engine.Pool, expected, patience);
    }

    private static async Task<bool> ReadAsync(IGeneration generation, BlockPool pool, List<GeneratedToken> expected, int patience)
    {
        GenerationRequest request = generation.Request;
        List<GeneratedToken> tokens = [];

        // The last token needs no room.
        int room = (pool.BlockCount * pool.BlockSize) + 1 - request.Prompt.Length;
        bool fits = expected.Count <= room;
        expected = expected[..Math.Min(expected.Count, Math.Min(room, patience))];
        if (patience == 0)
        {
            return false;
        }

        try
        {
            await foreach (GeneratedToken token in generation.ReadAllAsync())
            {
                tokens.Add(token);
                if (tokens.Count == patience)
                {
                    break;
                }
            }
        }
        catch (GenerationException e) when (e.Error == GenerationError.Overloaded)
        {
            Assert.False(fits, $"{request.Id} fits the pool and was ended: {e.Message}");
            Oracle.AssertSame(expected, tokens, request.Id);
            return true;
        }

        Oracle.AssertSame(expected, tokens, request.Id);
        Assert.InRange(generation.CachedTokens, 0, request.Prompt.Length - 1);
        Assert.True(fits || tokens.Count == patience);
        return false;
    }

    internal static async Task<bool> TransferAsync(
        InferenceEngine prefill, InferenceEngine decode, HashModel model, GenerationRequest request, bool cancelEarly)
    {
        using var cancellation = new CancellationTokenSource();
        if (cancelEarly)
        {
            cancellation.CancelAfter(TimeSpan.FromMicroseconds(request.Sampling.Seed % 3000));
        }

        BlockHash[] prefix = BlockHash.Chain(
            BlockHash.Root(model.Fingerprint, cacheSalt: request.CacheSalt), request.Prompt, decode.Pool.BlockSize);
        BlockLease blocks;
        int cached;
        try
        {
            (blocks, cached) = await decode.ReserveAsync(
                prefix, model.Store.Layout.BlocksFor(request.Prompt.Length), cancellation.Token);
        }
        catch (OperationCanceledException)
        {
            return false;
        }

        var sink = new TransferSink(prefill.Runner.KvStore, decode.Runner.KvStore, blocks, cached);
        prefill.SubmitPrefill(request, sink, cancellation.Token);
        GeneratedToken first;
        try
        {
            first = await sink.Completed;
        }
        catch (OperationCanceledException)
        {
            Assert.Equal(1, sink.Ends);
            blocks.Dispose();
            return false;
        }

        await using IGeneration generation = decode.Adopt(request, blocks, first, sink.CachedBlocks * decode.Pool.BlockSize);
        int patience = request.Sampling.Seed % 5 == 0 ? 3 : int.MaxValue;
        await ReadAsync(generation, decode.Pool, Oracle.Generate(request, model), patience);
        return true;
    }
}
