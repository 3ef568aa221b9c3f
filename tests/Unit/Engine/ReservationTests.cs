using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using Xunit;
using static LlmCluster.Tests.Unit.Engine.EngineTestExtensions;

namespace LlmCluster.Tests.Unit.Engine;

public class ReservationTests
{
    private static readonly EngineOptions Options = new() { MaxBatchTokens = 24, MaxRunning = 8, MaxStepTime = TimeSpan.Zero };

    [Fact]
    public async Task Reservations_and_sequences_are_served_in_order_of_arrival()
    {
        using var model = new HashModel(blocks: 10);
        await using var engine = new InferenceEngine(model, Options);
        (BlockLease all, _) = await engine.ReserveAsync([], 10, CancellationToken.None);
        Task<(BlockLease Blocks, int)> first = engine.ReserveAsync([], 8, CancellationToken.None).AsTask();
        IGeneration second = engine.Submit(Request(Prompt(20), maxTokens: 1));
        Task<(BlockLease Blocks, int)> third = engine.ReserveAsync([], 1, CancellationToken.None).AsTask();
        Task<List<GeneratedToken>> answer = second.ReadToEndAsync();
        await UntilAsync(() => engine.Status.Waiting == 3, "all three wait");

        all.Dispose();
        BlockLease granted = (await first.WaitAsync(Deadline)).Blocks;

        // Two blocks are left: enough for the third, but the second is before it.
        await UntilAsync(() => engine.Status.Waiting == 2, "the first left the queue");
        Assert.False(third.IsCompleted);
        Assert.False(answer.IsCompleted);

        granted.Dispose();
        await answer;
        (await third.WaitAsync(Deadline)).Blocks.Dispose();
        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task A_cancelled_wait_lets_the_next_one_in()
    {
        using var model = new HashModel(blocks: 10);
        await using var engine = new InferenceEngine(model, Options);
        (BlockLease some, _) = await engine.ReserveAsync([], 5, CancellationToken.None);
        using var cancellation = new CancellationTokenSource();
        Task<(BlockLease, int)> first = engine.ReserveAsync([], 8, cancellation.Token).AsTask();
        Task<(BlockLease Blocks, int)> second = engine.ReserveAsync([], 4, CancellationToken.None).AsTask();
        await UntilAsync(() => engine.Status.Waiting == 2, "both wait");

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        (await second.WaitAsync(Deadline)).Blocks.Dispose();
        some.Dispose();
        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task A_reservation_finds_the_whole_prompt_in_the_cache()
    {
        using var model = new HashModel();
        await using var engine = new InferenceEngine(model, Options);
        int[] prompt = Prompt(16);
        await engine.Submit(Request(prompt, maxTokens: 3)).ReadToEndAsync();

        BlockHash[] prefix = BlockHash.Chain(BlockHash.Root(model.Fingerprint), prompt, 4);
        (BlockLease blocks, int cached) = await engine.ReserveAsync(prefix, 4, CancellationToken.None);

        Assert.Equal(4, cached);
        blocks.Dispose();
        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task A_reservation_that_never_fits_is_refused()
    {
        using var model = new HashModel(blocks: 10);
        await using var engine = new InferenceEngine(model, Options);

        var error = await Assert.ThrowsAsync<GenerationException>(() => engine.ReserveAsync([], 11, CancellationToken.None).AsTask());

        Assert.Equal(GenerationError.InvalidRequest, error.Error);
        Assert.Contains("takes 11 KV blocks; this worker's pool has 10", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reservations_leave_running_sequences_a_block_to_grow()
    {
        using var model = new HashModel(blocks: 10);
        var gate = new StepGate(model);
        await using var engine = new InferenceEngine(model, Options);
        IGeneration running = engine.Submit(Request(Prompt(8), maxTokens: 4));
        await gate.AtStepAsync(1);

        Task<(BlockLease Blocks, int)> greedy = engine.ReserveAsync([], 8, CancellationToken.None).AsTask();
        Task<(BlockLease Blocks, int)> modest = engine.ReserveAsync([], 1, CancellationToken.None).AsTask();
        await UntilAsync(() => engine.Status.Waiting == 2, "neither gets blocks");
        gate.Open();

        Assert.Equal(4, (await running.ReadToEndAsync()).Count);
        (await greedy.WaitAsync(Deadline)).Blocks.Dispose();
        (await modest.WaitAsync(Deadline)).Blocks.Dispose();
        await engine.AssertNoBlockHeldAsync();
    }

    [Fact]
    public async Task Blocks_that_are_given_back_go_to_the_next_at_once()
    {
        using var model = new HashModel(blocks: 4);
        await using var engine = new InferenceEngine(model, Options);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        (BlockLease held, _) = await engine.ReserveAsync([], 4, CancellationToken.None);
        for (int i = 0; i < 40; i++)
        {
            Task<(BlockLease Blocks, int)> next = engine.ReserveAsync([], 4, CancellationToken.None).AsTask();
            await UntilAsync(() => engine.Status.Waiting == 1, "it waits");
            await Task.Delay(5);
            held.Dispose();
            held = (await next.WaitAsync(Deadline)).Blocks;
        }

        // Not only when the engine looks up by itself, which it does every second.
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(15), $"{watch.Elapsed}");
        held.Dispose();
    }

    [Fact]
    public async Task Many_waits_cancelled_at_random_leave_every_block_free()
    {
        using var model = new HashModel(blocks: 12);
        await using var engine = new InferenceEngine(model, Options);
        int granted = 0;

        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(async () =>
        {
            var random = new Random(worker);
            for (int i = 0; i < 150; i++)
            {
                using var cancellation = new CancellationTokenSource();
                cancellation.CancelAfter(TimeSpan.FromMicroseconds(random.Next(2000)));
                try
                {
                    (BlockLease blocks, _) = await engine.ReserveAsync([], random.Next(1, 9), cancellation.Token);
                    Interlocked.Increment(ref granted);
                    await Task.Yield();
                    blocks.Dispose();
                }
                catch (OperationCanceledException)
                {
                    Assert.True(cancellation.IsCancellationRequested);
                }
            }
        }))).WaitAsync(Deadline);

        Assert.True(granted > 0);
        await engine.AssertNoBlockHeldAsync();
    }
}
