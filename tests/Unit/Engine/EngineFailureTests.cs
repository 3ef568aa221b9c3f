using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Sampling;
using Xunit;
using static LlmCluster.Tests.Unit.Engine.EngineTestExtensions;

namespace LlmCluster.Tests.Unit.Engine;

public class EngineFailureTests
{
    private static readonly EngineOptions Options = new() { MaxBatchTokens = 24, MaxRunning = 8, MaxStepTime = TimeSpan.Zero };

    [Fact]
    public async Task A_step_that_fails_ends_its_sequences_and_no_others()
    {
        using var model = new HashModel();
        var log = new CountingLogger();
        bool fail = true;
        model.BeforeStep = _ =>
        {
            if (fail)
            {
                fail = false;
                throw new InvalidOperationException("The device is gone.");
            }
        };
        await using var engine = new InferenceEngine(model, Options, log);

        var error = await Assert.ThrowsAsync<GenerationException>(() => engine.Submit(Request(Prompt(10))).ReadToEndAsync());
        Assert.Equal(GenerationError.Internal, error.Error);
        Assert.Contains("The device is gone.", error.Message, StringComparison.Ordinal);
        Assert.Equal(1, log.Errors);

        GenerationRequest request = Request(Prompt(10));
        Oracle.AssertSame(Oracle.Generate(request, model), await engine.Submit(request).ReadToEndAsync(), "the next one");
        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task Nothing_that_a_failed_step_wrote_is_reused()
    {
        using var model = new HashModel();
        await using var engine = new InferenceEngine(model, Options);
        model.AfterStep = (_, _) => throw new InvalidOperationException("Failed after K/V was written.");
        await Assert.ThrowsAsync<GenerationException>(() => engine.Submit(Request(Prompt(20))).ReadToEndAsync());
        model.AfterStep = null;

        await using IGeneration next = engine.Submit(Request(Prompt(20)));
        await next.ReadToEndAsync();
        Assert.Equal(0, next.CachedTokens);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public async Task Damaged_logits_end_their_own_sequence_alone(float damage)
    {
        using var model = new HashModel();
        var gate = new StepGate(model);
        await using var engine = new InferenceEngine(model, Options);
        GenerationRequest healthy = Request(Prompt(9, 1), maxTokens: 5);
        GenerationRequest damaged = Request(Prompt(7, 2), maxTokens: 5);
        IGeneration first = engine.Submit(healthy);
        await gate.AtStepAsync(1);
        IGeneration second = engine.Submit(damaged);
        model.AfterStep = (batch, logits) =>
        {
            for (int s = 0; s < batch.SequenceCount; s++)
            {
                if (batch[s].Tokens.SequenceEqual(damaged.Prompt))
                {
                    logits[(batch[s].FirstLogitRow * model.Config.VocabSize) + 13] = damage;
                }
            }
        };
        gate.Open();

        var error = await Assert.ThrowsAsync<GenerationException>(() => second.ReadToEndAsync());
        Assert.Equal(GenerationError.Internal, error.Error);
        Assert.Contains("position 7", error.Message, StringComparison.Ordinal);
        Oracle.AssertSame(Oracle.Generate(healthy, model), await first.ReadToEndAsync(), "the other");
        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task A_sequence_that_outgrows_the_pool_is_ended_with_the_figures()
    {
        using var model = new HashModel(blocks: 5);
        await using var engine = new InferenceEngine(model, Options);

        await using IGeneration generation = engine.Submit(Request(Prompt(10), maxTokens: 50));
        List<GeneratedToken> tokens = [];
        var error = await Assert.ThrowsAsync<GenerationException>(async () =>
        {
            await foreach (GeneratedToken token in generation.ReadAllAsync())
            {
                tokens.Add(token);
            }
        });

        Assert.Equal(GenerationError.Overloaded, error.Error);
        Assert.Contains("21 tokens and needs 6 KV blocks; this worker's pool has 5", error.Message, StringComparison.Ordinal);
        Assert.Equal(11, tokens.Count);
        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task Disposing_the_engine_ends_everything_with_a_clear_error()
    {
        using var model = new HashModel(blocks: 20);
        var gate = new StepGate(model);
        var engine = new InferenceEngine(model, Options);
        (BlockLease lease, _) = await engine.ReserveAsync([], 8, CancellationToken.None);
        IGeneration running = engine.Submit(Request(Prompt(30, 1)));
        await gate.AtStepAsync(1);
        IGeneration waiting = engine.Submit(Request(Prompt(70, 2)));
        Task<(BlockLease, int)> reservation = engine.ReserveAsync([], 15, CancellationToken.None).AsTask();
        var sink = NSubstitute.Substitute.For<IPrefillSink>();
        engine.SubmitPrefill(Request(Prompt(5)), sink, CancellationToken.None);

        ValueTask disposed = engine.DisposeAsync();
        gate.Open();
        await disposed.AsTask().WaitAsync(Deadline);

        foreach (Task task in new Task[] { running.ReadToEndAsync(), waiting.ReadToEndAsync(), reservation })
        {
            var error = await Assert.ThrowsAsync<GenerationException>(() => task);
            Assert.Equal(GenerationError.Unavailable, error.Error);
        }

        NSubstitute.SubstituteExtensions.Received(sink, 1).OnFailed(NSubstitute.Arg.Any<GenerationException>());
        Assert.Equal(8, engine.Pool.Counts.Referenced);
        lease.Dispose();
        Assert.Equal(0, engine.Pool.Counts.Referenced);

        Assert.Equal(GenerationError.Unavailable, Assert.Throws<GenerationException>(() => engine.Submit(Request([1]))).Error);
        await Assert.ThrowsAsync<GenerationException>(() => engine.ReserveAsync([], 1, CancellationToken.None).AsTask());
        await running.DisposeAsync();
        await engine.DisposeAsync();
    }

    [Fact]
    public async Task A_sequence_that_waits_too_long_is_ended_with_the_figures()
    {
        using var model = new HashModel(blocks: 10);
        await using var engine = new InferenceEngine(model, Options with { QueueTimeout = TimeSpan.FromMilliseconds(200) });
        (BlockLease all, _) = await engine.ReserveAsync([], 10, CancellationToken.None);
        IPrefillSink sink = NSubstitute.Substitute.For<IPrefillSink>();
        engine.SubmitPrefill(Request(Prompt(12)), sink, CancellationToken.None);

        var error = await Assert.ThrowsAsync<GenerationException>(() => engine.Submit(Request(Prompt(20))).ReadToEndAsync());

        Assert.Equal(GenerationError.DeadlineExceeded, error.Error);
        Assert.Contains("0 of 10 KV blocks are available and it needs 5", error.Message, StringComparison.Ordinal);
        NSubstitute.SubstituteExtensions.Received(sink, 1).OnFailed(NSubstitute.Arg.Any<GenerationException>());
        all.Dispose();
        Assert.Single(await engine.Submit(Request(Prompt(20), maxTokens: 1)).ReadToEndAsync());
        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task Bias_that_leaves_no_token_is_the_requests_fault()
    {
        using var model = new HashModel();
        await using var engine = new InferenceEngine(model, Options);
        GenerationRequest request = Request(Prompt(5), maxTokens: 3, new SamplingOptions()) with
        {
            MinTokens = 2,
            StopTokenIds = [.. Enumerable.Range(0, 48)],
        };

        var error = await Assert.ThrowsAsync<GenerationException>(() => engine.Submit(request).ReadToEndAsync());
        Assert.Equal(GenerationError.InvalidRequest, error.Error);
        await engine.AssertNoBlockHeldAsync();
    }
}
