using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Sampling;
using Xunit;
using static LlmCluster.Tests.Unit.Engine.EngineTestExtensions;

namespace LlmCluster.Tests.Unit.Engine;

public class InferenceEngineTests
{
    private static readonly EngineOptions Options = new() { MaxBatchTokens = 24, MaxRunning = 8, MaxStepTime = TimeSpan.Zero };

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 5)]
    [InlineData(4, 20)]
    [InlineData(41, 30)]
    public async Task One_sequence_equals_the_oracle(int promptLength, int maxTokens)
    {
        using var model = new HashModel();
        await using var engine = new InferenceEngine(model, Options);
        GenerationRequest request = Request(Prompt(promptLength), maxTokens, new SamplingOptions { Seed = 7, TopLogprobs = 3 });

        await using IGeneration generation = engine.Submit(request);
        List<GeneratedToken> tokens = await generation.ReadToEndAsync();

        Assert.Equal(maxTokens, tokens.Count);
        Oracle.AssertSame(Oracle.Generate(request, model), tokens, "one sequence");
        Assert.Equal(0, generation.CachedTokens);
        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task The_context_limit_ends_a_sequence_with_length()
    {
        using var model = new HashModel(maxPositions: 20);
        await using var engine = new InferenceEngine(model, Options);

        List<GeneratedToken> tokens = await engine.Submit(Request(Prompt(15), maxTokens: 100)).ReadToEndAsync();

        Assert.Equal(5, tokens.Count);
        Assert.Equal(FinishReason.Length, tokens[^1].FinishReason);
    }

    [Fact]
    public async Task A_stop_token_ends_a_sequence_but_not_before_min_tokens()
    {
        using var model = new HashModel();
        await using var engine = new InferenceEngine(model, Options);
        GenerationRequest request = Request(Prompt(10), maxTokens: 30);
        List<GeneratedToken> free = await engine.Submit(request).ReadToEndAsync();
        int stop = free[4].TokenId;
        int first = free.FindIndex(t => t.TokenId == stop);

        List<GeneratedToken> stopped = await engine.Submit(request with { StopTokenIds = [stop] }).ReadToEndAsync();
        List<GeneratedToken> late = await engine.Submit(request with { StopTokenIds = [stop], MinTokens = 12 }).ReadToEndAsync();

        Assert.Equal(first + 1, stopped.Count);
        Assert.Equal(FinishReason.Stop, stopped[^1].FinishReason);
        Assert.Equal(stop, stopped[^1].TokenId);
        Assert.True(late.Count >= 12);
        Assert.DoesNotContain(stop, late.Take(12).Select(t => t.TokenId));
    }

    [Fact]
    public async Task A_prompt_seen_before_is_not_computed_again()
    {
        using var model = new HashModel();
        await using var engine = new InferenceEngine(model, Options);
        GenerationRequest request = Request(Prompt(32), maxTokens: 4);
        List<GeneratedToken> tokens = await engine.Submit(request).ReadToEndAsync();
        long computed = model.ComputedTokens;

        await using IGeneration again = engine.Submit(request);
        List<GeneratedToken> repeated = await again.ReadToEndAsync();

        // The block with the last token is computed, for its logits: 4 tokens, and 3 of the answer.
        Assert.Equal(28, again.CachedTokens);
        Assert.Equal(4 + 3, model.ComputedTokens - computed);
        Oracle.AssertSame(tokens, repeated, "again");
    }

    [Fact]
    public async Task The_answer_is_cached_for_the_next_turn()
    {
        using var model = new HashModel();
        await using var engine = new InferenceEngine(model, Options);
        int[] prompt = Prompt(10);
        List<GeneratedToken> answer = await engine.Submit(Request(prompt, maxTokens: 15)).ReadToEndAsync();
        int[] next = [.. prompt, .. answer.Select(t => t.TokenId), 5, 6, 7];

        await using IGeneration generation = engine.Submit(Request(next, maxTokens: 5));
        List<GeneratedToken> tokens = await generation.ReadToEndAsync();

        // All but the answer's last token was computed: 24 tokens, 6 blocks.
        Assert.Equal(24, generation.CachedTokens);
        Oracle.AssertSame(Oracle.Generate(generation.Request, model), tokens, "next turn");
    }

    [Fact]
    public async Task Another_salt_and_a_cleared_cache_share_nothing()
    {
        using var model = new HashModel();
        await using var engine = new InferenceEngine(model, Options);
        GenerationRequest request = Request(Prompt(32), maxTokens: 2);
        await engine.Submit(request).ReadToEndAsync();

        await using IGeneration salted = engine.Submit(request with { CacheSalt = "tenant" });
        await salted.ReadToEndAsync();
        engine.Pool.ClearCache();
        await using IGeneration cleared = engine.Submit(request);
        await cleared.ReadToEndAsync();

        Assert.Equal(0, salted.CachedTokens);
        Assert.Equal(0, cleared.CachedTokens);
    }

    [Fact]
    public async Task Choices_of_one_prompt_compute_it_once()
    {
        using var model = new HashModel(blocks: 200);
        var gate = new StepGate(model);
        await using var engine = new InferenceEngine(model, Options);
        GenerationRequest request = Request(Prompt(41), maxTokens: 1);
        IGeneration[] choices = [.. Enumerable.Range(0, 5).Select(i => engine.Submit(request with
        {
            Sampling = new SamplingOptions { Seed = (ulong)i },
        }))];
        gate.Open();

        foreach (IGeneration choice in choices)
        {
            Oracle.AssertSame(Oracle.Generate(choice.Request, model), await choice.ReadToEndAsync(), "choice");
        }

        // 41 tokens once; of the others only the token after the last full block.
        Assert.Equal(41 + 4, model.ComputedTokens);
        Assert.Equal([0, 40, 40, 40, 40], choices.Select(c => c.CachedTokens).Order());
    }

    [Fact]
    public async Task A_shared_prefix_is_waited_for_and_others_pass_meanwhile()
    {
        using var model = new HashModel();
        var gate = new StepGate(model);
        await using var engine = new InferenceEngine(model, Options);
        int[] shared = Prompt(40);
        await using IGeneration computing = engine.Submit(Request([.. shared, 1, 2, 3, 4, 5], maxTokens: 1));
        await using IGeneration waiting = engine.Submit(Request([.. shared[..20], 9, 9, 9], maxTokens: 1));
        await using IGeneration passing = engine.Submit(Request(Prompt(4, seed: 99), maxTokens: 1));
        gate.Open();

        await Task.WhenAll(computing.ReadToEndAsync(), waiting.ReadToEndAsync(), passing.ReadToEndAsync());

        Assert.Equal(20, waiting.CachedTokens);
        Assert.Equal(45 + 3 + 4, model.ComputedTokens);
    }

    [Fact]
    public async Task A_cancelled_computation_is_taken_up_by_the_one_that_waited_for_it()
    {
        using var model = new HashModel();
        var gate = new StepGate(model);
        await using var engine = new InferenceEngine(model, Options);
        GenerationRequest request = Request(Prompt(60), maxTokens: 3);
        IGeneration computing = engine.Submit(request);
        IGeneration waiting = engine.Submit(request);
        await gate.AtStepAsync(1);
        ValueTask cancelled = computing.DisposeAsync();
        gate.Open();

        await cancelled;
        Oracle.AssertSame(Oracle.Generate(request, model), await waiting.ReadToEndAsync(), "the one that waited");

        // What the first step computed was not lost.
        Assert.Equal(24, waiting.CachedTokens);
        await Assert.ThrowsAsync<OperationCanceledException>(() => computing.ReadToEndAsync());
        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task Cancelling_ends_waiting_prefilling_and_decoding_sequences()
    {
        using var model = new HashModel();
        var gate = new StepGate(model);
        await using var engine = new InferenceEngine(model, Options with { MaxRunning = 2 });
        IGeneration decoding = engine.Submit(Request(Prompt(4, 1), maxTokens: 50));
        await gate.AtStepAsync(1);
        IGeneration prefilling = engine.Submit(Request(Prompt(90, 2), maxTokens: 5));
        IGeneration waiting = engine.Submit(Request(Prompt(5, 3), maxTokens: 5));
        gate.Allow(1);
        await gate.AtStepAsync(2);
        Assert.Equal(2, engine.Status.Running);
        Assert.Equal(1, engine.Status.Waiting);

        ValueTask[] cancelled = [decoding.DisposeAsync(), prefilling.DisposeAsync(), waiting.DisposeAsync()];
        gate.Open();
        foreach (ValueTask task in cancelled)
        {
            await task.AsTask().WaitAsync(Deadline);
        }

        // Given back when the disposal is done, not some time later.
        Assert.Equal(0, engine.Pool.Counts.Referenced);
        await Assert.ThrowsAsync<OperationCanceledException>(() => waiting.ReadToEndAsync());
        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task Who_does_not_read_holds_nobody_up()
    {
        using var model = new HashModel();
        await using var engine = new InferenceEngine(model, Options);
        GenerationRequest slow = Request(Prompt(8, 1), maxTokens: 60);
        await using IGeneration unread = engine.Submit(slow);

        await using IGeneration read = engine.Submit(Request(Prompt(8, 2), maxTokens: 60));
        Assert.Equal(60, (await read.ReadToEndAsync()).Count);
        await engine.AssertNoBlockHeldAsync();
        Oracle.AssertSame(Oracle.Generate(slow, model), await unread.ReadToEndAsync(), "read late");
    }

    [Fact]
    public async Task Status_counts_tokens_that_are_still_to_prefill()
    {
        using var model = new HashModel(blocks: 30);
        var gate = new StepGate(model);
        await using var engine = new InferenceEngine(model, Options);
        IGeneration running = engine.Submit(Request(Prompt(90, 1), maxTokens: 5));
        await gate.AtStepAsync(1);
        IGeneration waiting = engine.Submit(Request(Prompt(80, 2), maxTokens: 5));

        EngineStatus status = engine.Status;
        Assert.Equal(1, status.Running);
        Assert.Equal(1, status.Waiting);
        Assert.Equal(90 + 80, status.WaitingTokens);
        Assert.Equal(23, status.Blocks.Referenced);

        gate.Open();
        await Task.WhenAll(running.ReadToEndAsync(), waiting.ReadToEndAsync());
        await engine.AssertNoBlockHeldAsync();
        Assert.Equal(0, engine.Status.WaitingTokens);
    }

    [Fact]
    public void Options_without_room_for_prefill_are_refused()
    {
        using var model = new HashModel(blockSize: 4);
        var error = Assert.Throws<ArgumentException>(
            () => new InferenceEngine(model, new EngineOptions { MaxBatchTokens = 11, MaxRunning = 8 }));
        Assert.Contains("must be at least 12", error.Message, StringComparison.Ordinal);
    }
}
