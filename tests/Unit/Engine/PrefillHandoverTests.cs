using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Sampling;
using NSubstitute;
using Xunit;
using static LlmCluster.Tests.Unit.Engine.EngineTestExtensions;

namespace LlmCluster.Tests.Unit.Engine;

public class PrefillHandoverTests
{
    private static readonly EngineOptions Options = new() { MaxBatchTokens = 16, MaxRunning = 8, MaxStepTime = TimeSpan.Zero };

    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    [InlineData(45)]
    public async Task A_sequence_handed_over_goes_on_as_if_it_had_stayed(int promptLength)
    {
        using var prefillModel = new HashModel();
        using var decodeModel = new HashModel();
        await using var prefill = new InferenceEngine(prefillModel, Options);
        await using var decode = new InferenceEngine(decodeModel, Options);
        GenerationRequest request = Request(Prompt(promptLength), 20, new SamplingOptions { Seed = 5, TopLogprobs = 1 });
        int blockCount = decodeModel.Store.Layout.BlocksFor(promptLength);
        (BlockLease blocks, int cached) = await decode.ReserveAsync([], blockCount, CancellationToken.None);

        var sink = new TransferSink(prefillModel.Store, decodeModel.Store, blocks, cached);
        prefill.SubmitPrefill(request, sink, CancellationToken.None);
        GeneratedToken first = await sink.Completed.WaitAsync(Deadline);
        await using IGeneration generation = decode.Adopt(request, blocks, first, cachedTokens: 3);
        List<GeneratedToken> tokens = await generation.ReadToEndAsync();

        Oracle.AssertSame(Oracle.Generate(request, decodeModel), tokens, "handed over");
        Assert.Equal(3, generation.CachedTokens);
        Assert.Equal(19, decodeModel.ComputedTokens);
        await prefill.AssertNoBlockHeldAsync();
        await decode.AssertNoBlockHeldAsync();

        // Both workers have the prompt now.
        BlockHash[] prefix = BlockHash.Chain(BlockHash.Root(decodeModel.Fingerprint), request.Prompt, 4);
        Assert.Equal(prefix.Length, decode.Pool.CountPrefix(prefix));
        Assert.Equal(prefix.Length, prefill.Pool.CountPrefix(prefix));
    }

    [Fact]
    public async Task A_first_token_that_ends_the_sequence_gives_the_blocks_back()
    {
        using var model = new HashModel();
        await using var engine = new InferenceEngine(model, Options);
        (BlockLease blocks, _) = await engine.ReserveAsync([], 3, CancellationToken.None);

        await using IGeneration generation = engine.Adopt(
            Request(Prompt(12)), blocks, new GeneratedToken(5, FinishReason.Stop), cachedTokens: 0);

        Assert.Equal([new GeneratedToken(5, FinishReason.Stop)], await generation.ReadToEndAsync());
        Assert.Equal(0, engine.Pool.Counts.Referenced);
        Assert.Equal(3, engine.Pool.Counts.Cached);
    }

    [Fact]
    public async Task A_lease_that_does_not_match_the_prompt_is_refused_and_given_back()
    {
        using var model = new HashModel();
        await using var engine = new InferenceEngine(model, Options);
        (BlockLease blocks, _) = await engine.ReserveAsync([], 3, CancellationToken.None);

        var error = Assert.Throws<ArgumentException>(
            () => engine.Adopt(Request(Prompt(13)), blocks, new GeneratedToken(5, FinishReason.None), 0));

        Assert.Contains("13 tokens takes 4 KV blocks; the lease holds 3", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, engine.Pool.Counts.Referenced);
    }

    [Fact]
    public async Task A_stopped_engine_gives_the_adopted_blocks_back()
    {
        using var model = new HashModel();
        var engine = new InferenceEngine(model, Options);
        (BlockLease blocks, _) = await engine.ReserveAsync([], 3, CancellationToken.None);
        await engine.DisposeAsync();

        var error = Assert.Throws<GenerationException>(
            () => engine.Adopt(Request(Prompt(12)), blocks, new GeneratedToken(5, FinishReason.None), 0));

        Assert.Equal(GenerationError.Unavailable, error.Error);
        Assert.Equal(0, engine.Pool.Counts.Referenced);
    }

    [Fact]
    public async Task Cancelling_before_admission_only_reports_the_failure()
    {
        using var model = new HashModel(blocks: 12);
        await using var engine = new InferenceEngine(model, Options);
        (BlockLease all, _) = await engine.ReserveAsync([], 12, CancellationToken.None);
        using var cancellation = new CancellationTokenSource();
        IPrefillSink sink = Substitute.For<IPrefillSink>();
        engine.SubmitPrefill(Request(Prompt(20)), sink, cancellation.Token);

        await cancellation.CancelAsync();
        await UntilAsync(() => sink.ReceivedCalls().Any(), "the sink is told");

        sink.Received(1).OnFailed(Arg.Any<OperationCanceledException>());
        Assert.Single(sink.ReceivedCalls());
        all.Dispose();
        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task Cancelling_between_chunks_leaves_the_sink_its_own_references()
    {
        using var model = new HashModel();
        var gate = new StepGate(model);
        await using var engine = new InferenceEngine(model, Options);
        using var cancellation = new CancellationTokenSource();
        IPrefillSink sink = Substitute.For<IPrefillSink>();
        BlockLease? lease = null;
        sink.When(s => s.OnStarted(Arg.Any<BlockLease>(), 0)).Do(call => lease = call.Arg<BlockLease>());
        engine.SubmitPrefill(Request(Prompt(40)), sink, cancellation.Token);
        gate.Allow(1);
        await gate.AtStepAsync(2);

        await cancellation.CancelAsync();
        gate.Open();
        await UntilAsync(() => engine.Status.Running == 0, "the sequence is gone");

        sink.Received(1).OnFailed(Arg.Any<OperationCanceledException>());
        sink.DidNotReceive().OnCompleted(Arg.Any<GeneratedToken>());
        sink.Received(1).OnBlocksWritten(0, 0, 4);
        sink.Received(1).OnBlocksWritten(1, 4, 4);
        Assert.Equal(10, engine.Pool.Counts.Referenced);
        lease!.Dispose();
        Assert.Equal(0, engine.Pool.Counts.Referenced);
    }

    [Fact]
    public async Task Cancelling_after_the_end_changes_nothing()
    {
        using var model = new HashModel();
        await using var engine = new InferenceEngine(model, Options);
        using var cancellation = new CancellationTokenSource();
        (BlockLease blocks, int cached) = await engine.ReserveAsync([], 3, CancellationToken.None);
        var sink = new TransferSink(model.Store, model.Store, blocks, cached);
        engine.SubmitPrefill(Request(Prompt(12)), sink, cancellation.Token);
        await sink.Completed.WaitAsync(Deadline);

        await cancellation.CancelAsync();
        await engine.Submit(Request(Prompt(3))).ReadToEndAsync();

        Assert.Equal(1, sink.Ends);
        blocks.Dispose();
        await engine.AssertNoBlockHeldAsync();
    }

    [Theory]
    [InlineData(nameof(IPrefillSink.OnStarted))]
    [InlineData(nameof(IPrefillSink.OnBlocksWritten))]
    [InlineData(nameof(IPrefillSink.OnCompleted))]
    public async Task A_sink_that_throws_hurts_nobody_else(string member)
    {
        using var model = new HashModel();
        var gate = new StepGate(model);
        var log = new CountingLogger();
        await using var engine = new InferenceEngine(model, Options, log);
        IPrefillSink sink = Substitute.For<IPrefillSink>();
        sink.When(s => s.OnStarted(Arg.Any<BlockLease>(), Arg.Any<int>())).Do(call =>
        {
            call.Arg<BlockLease>().Dispose();
            ThrowIf(member == nameof(IPrefillSink.OnStarted));
        });
        sink.When(s => s.OnBlocksWritten(Arg.Any<int>(), Arg.Any<int>(), Arg.Any<int>()))
            .Do(_ => ThrowIf(member == nameof(IPrefillSink.OnBlocksWritten)));
        sink.When(s => s.OnCompleted(Arg.Any<GeneratedToken>())).Do(_ => ThrowIf(member == nameof(IPrefillSink.OnCompleted)));
        GenerationRequest request = Request(Prompt(12, 1));
        IGeneration other = engine.Submit(request);
        await gate.AtStepAsync(1);
        engine.SubmitPrefill(Request(Prompt(24, 2)), sink, CancellationToken.None);
        gate.Open();

        Oracle.AssertSame(Oracle.Generate(request, model), await other.ReadToEndAsync(), "the other");
        await engine.AssertNoBlockHeldAsync();
        Assert.Equal(1, log.Errors);
        sink.Received(member == nameof(IPrefillSink.OnCompleted) ? 0 : 1).OnFailed(Arg.Any<GenerationException>());
    }

    [Fact]
    public async Task A_sink_that_throws_in_the_last_chunk_does_not_shift_the_others_logits()
    {
        using var model = new HashModel();
        var gate = new StepGate(model);
        await using var engine = new InferenceEngine(model, Options);
        await using IGeneration first = engine.Submit(Request(Prompt(2), maxTokens: 2));
        await gate.AtStepAsync(1);
        IPrefillSink sink = Substitute.For<IPrefillSink>();
        sink.When(s => s.OnStarted(Arg.Any<BlockLease>(), Arg.Any<int>())).Do(call => call.Arg<BlockLease>().Dispose());
        sink.When(s => s.OnBlocksWritten(1, Arg.Any<int>(), Arg.Any<int>())).Do(_ => ThrowIf(true));
        engine.SubmitPrefill(Request(Prompt(6, 2)), sink, CancellationToken.None);
        GenerationRequest behind = Request(Prompt(5, 3), maxTokens: 6);
        IGeneration other = engine.Submit(behind);
        gate.Open();

        Oracle.AssertSame(Oracle.Generate(behind, model), await other.ReadToEndAsync(), "the one behind");
        Assert.True(model.MostSequences >= 3);
        await engine.AssertNoBlockHeldAsync();
        sink.Received(1).OnFailed(Arg.Any<GenerationException>());
    }

    [Fact]
    public async Task A_prompt_for_another_worker_keeps_its_blocks_when_others_need_some()
    {
        using var model = new HashModel(blocks: 13);
        var gate = new StepGate(model);
        await using var engine = new InferenceEngine(model, Options);
        GenerationRequest growing = Request(Prompt(8, 1), maxTokens: 30);
        IGeneration generation = engine.Submit(growing);
        await gate.AtStepAsync(1);
        IPrefillSink sink = Substitute.For<IPrefillSink>();
        BlockLease? lease = null;
        sink.When(s => s.OnStarted(Arg.Any<BlockLease>(), 0)).Do(call => lease = call.Arg<BlockLease>());
        engine.SubmitPrefill(Request(Prompt(36, 2)), sink, CancellationToken.None);
        gate.Open();

        // It stalls at 17 tokens, for its fifth block, until the other worker has read the prompt.
        await UntilAsync(() => sink.ReceivedCalls().Any(c => c.GetMethodInfo().Name == "OnCompleted"), "the prompt is computed");
        await UntilAsync(() => engine.Pool.Counts.Available == 0, "the pool is full");
        lease!.Dispose();

        Oracle.AssertSame(Oracle.Generate(growing, model), await generation.ReadToEndAsync(), "the one that stalled");
        await engine.AssertNoBlockHeldAsync();
    }

    private static void ThrowIf(bool condition)
    {
        if (condition)
        {
            throw new InvalidOperationException("The sink failed.");
        }
    }
}
