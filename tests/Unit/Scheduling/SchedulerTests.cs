using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Sampling;
using LlmCluster.Inference.Scheduling;
using Xunit;

namespace LlmCluster.Tests.Unit.Scheduling;

public class SchedulerTests
{
    private const int BlockSize = 4;
    private readonly StepPlan _plan = new();
    private BlockPool _pool = new(100, BlockSize);

    [Fact]
    public void Prompts_are_cut_at_block_boundaries_within_the_budget()
    {
        Scheduler scheduler = NewScheduler(budget: 14);
        Sequence first = Enqueue(scheduler, 17);
        Sequence second = Enqueue(scheduler, 6);

        Assert.Equal([(first, 12)], Step(scheduler));
        Assert.Equal([(first, 5), (second, 6)], Step(scheduler));
        Assert.Equal([(first, 1), (second, 1)], Step(scheduler));
    }

    [Fact]
    public void Decodes_come_before_prefill_and_prefill_gets_what_they_leave()
    {
        Scheduler scheduler = NewScheduler(budget: 14);
        Sequence decoding = Enqueue(scheduler, 3);
        Step(scheduler);
        Sequence prefilling = Enqueue(scheduler, 40);

        Assert.Equal([(decoding, 1), (prefilling, 12)], Step(scheduler));
        Assert.Equal([(decoding, 1), (prefilling, 12)], Step(scheduler));
    }

    [Fact]
    public void Prefill_is_paced_only_beside_sequences_that_decode()
    {
        var pacer = new StepPacer(TimeSpan.FromMilliseconds(10));
        pacer.Observe(0, 10, TimeSpan.FromMilliseconds(10));
        var scheduler = new Scheduler(_pool, 64, 8, pacer);
        Sequence first = Enqueue(scheduler, 30);
        Assert.Equal([(first, 30)], Step(scheduler));
        Sequence second = Enqueue(scheduler, 30, 2);
        Sequence third = Enqueue(scheduler, 30, 3);

        Assert.Equal([(first, 1), (second, 8), (third, 2)], Step(scheduler));
        scheduler.Remove(first);
        Assert.Equal([(second, 22), (third, 28)], Step(scheduler));
    }

    [Fact]
    public void A_short_step_cuts_blocks_but_not_those_that_are_sent_to_another_worker()
    {
        const int blockSize = 8;
        var pacer = new StepPacer(TimeSpan.FromMilliseconds(3));
        pacer.Observe(0, 10, TimeSpan.FromMilliseconds(10));
        _pool = new BlockPool(100, blockSize);
        var scheduler = new Scheduler(_pool, 64, 8, pacer);
        Sequence first = NewSequence(3, 1, blockSize: blockSize);
        scheduler.Enqueue(first);
        Step(scheduler);

        Sequence second = NewSequence(30, 2, blockSize: blockSize);
        scheduler.Enqueue(second);
        Assert.Equal([(first, 1), (second, StepPacer.SmallestChunk)], Step(scheduler));
        Assert.Equal([(first, 1), (second, StepPacer.SmallestChunk)], Step(scheduler));

        scheduler.Remove(second);
        Sequence sent = NewSequence(30, 3, canBePreempted: false, blockSize);
        scheduler.Enqueue(sent);
        Assert.Equal([(first, 1), (sent, blockSize)], Step(scheduler));
    }

    [Fact]
    public void Sequences_are_admitted_in_order_and_a_large_one_is_not_passed()
    {
        _pool = new BlockPool(10, BlockSize);
        Scheduler scheduler = NewScheduler(budget: 64);
        Sequence running = Enqueue(scheduler, 20);
        Step(scheduler);
        Sequence large = Enqueue(scheduler, 24);
        Sequence small = Enqueue(scheduler, 2);

        Assert.DoesNotContain(Step(scheduler), w => w.Sequence == large || w.Sequence == small);
        scheduler.Remove(running);
        Assert.Equal([large, small], Step(scheduler).Select(w => w.Sequence));
    }

    [Fact]
    public void No_more_run_than_allowed()
    {
        Scheduler scheduler = NewScheduler(budget: 64, maxRunning: 2);
        Sequence[] all = [Enqueue(scheduler, 2, 1), Enqueue(scheduler, 2, 2), Enqueue(scheduler, 2, 3)];

        Assert.Equal(all[..2], Step(scheduler).Select(w => w.Sequence));
        scheduler.Remove(all[0]);
        Assert.Equal(all[1..], Step(scheduler).Select(w => w.Sequence));
    }

    [Fact]
    public void Adopted_sequences_beyond_the_limit_wait_for_their_turn_and_prefill_is_not_starved()
    {
        Scheduler scheduler = NewScheduler(budget: 64, maxRunning: 2);
        Sequence prefilling = Enqueue(scheduler, 100);
        Step(scheduler);
        Sequence[] adopted = [Adopt(scheduler, 5), Adopt(scheduler, 5)];

        Assert.Equal([(adopted[0], 1), (prefilling, 36)], Step(scheduler));
        scheduler.Remove(prefilling);
        Assert.Equal([(adopted[0], 1), (adopted[1], 1)], Step(scheduler));
    }

    [Fact]
    public void A_sequence_without_room_preempts_the_one_admitted_last()
    {
        _pool = new BlockPool(7, BlockSize);
        Scheduler scheduler = NewScheduler(budget: 64);
        Sequence oldest = Adopt(scheduler, 8);
        Sequence middle = Adopt(scheduler, 6);
        Sequence youngest = Adopt(scheduler, 6);
        Sequence waiting = Enqueue(scheduler, 2);

        Assert.Equal([(oldest, 1), (middle, 1), (youngest, 1)], Step(scheduler));

        // The oldest took the last block; the middle one needs a third after two more tokens.
        while (_plan.Preempted.Count == 0)
        {
            Step(scheduler);
        }

        Assert.Equal([youngest], _plan.Preempted);
        Assert.Equal(SequenceState.Waiting, youngest.State);
        Assert.Equal([youngest, waiting], scheduler.Waiting);
        Assert.Equal(0, youngest.Blocks.Length);
        Assert.Empty(_plan.Admitted);
    }

    [Fact]
    public void Preempted_sequences_wait_in_order_of_admission()
    {
        _pool = new BlockPool(4, BlockSize);
        Scheduler scheduler = NewScheduler(budget: 64);
        Sequence oldest = Adopt(scheduler, 4);
        Sequence middle = Adopt(scheduler, 4);
        Sequence youngest = Adopt(scheduler, 3);
        while (scheduler.Running.Count > 1)
        {
            Step(scheduler);
        }

        Assert.Equal([oldest], scheduler.Running);
        Assert.Equal([middle, youngest], scheduler.Waiting);
    }

    [Fact]
    public void A_sequence_that_is_sent_to_another_worker_is_never_preempted()
    {
        _pool = new BlockPool(6, BlockSize);
        Scheduler scheduler = NewScheduler(budget: 64);
        Sequence growing = Adopt(scheduler, 6);
        Sequence sent = NewSequence(9, 9, canBePreempted: false);
        scheduler.Enqueue(sent);
        for (int step = 0; step < 10 && !_plan.Stalled; step++)
        {
            Step(scheduler);
        }

        // The growing one keeps its blocks and waits.
        Assert.True(_plan.Stalled);
        Assert.Empty(_plan.Preempted);
        Assert.Equal(3, growing.Blocks.Length);
        Assert.Equal(3, sent.Blocks.Length);
        Assert.Empty(Step(scheduler));

        scheduler.Remove(sent);
        Assert.Equal([(growing, 1)], Step(scheduler));
        Assert.False(_plan.Stalled);
    }

    [Fact]
    public void A_sequence_larger_than_the_pool_is_given_up_running_or_waiting()
    {
        _pool = new BlockPool(2, BlockSize);
        Scheduler scheduler = NewScheduler(budget: 64);
        Sequence running = Adopt(scheduler, 8);
        Sequence waiting = Enqueue(scheduler, 9);
        Sequence behind = Enqueue(scheduler, 3);

        Step(scheduler);
        Assert.Equal([running, waiting], _plan.Overgrown);
        scheduler.Remove(running);
        scheduler.Remove(waiting);
        Assert.Equal([(behind, 3)], Step(scheduler));
    }

    [Fact]
    public void Newcomers_leave_a_block_to_each_that_grows()
    {
        _pool = new BlockPool(6, BlockSize);
        Scheduler scheduler = NewScheduler(budget: 64);
        Adopt(scheduler, 3);
        Adopt(scheduler, 3);
        Sequence newcomer = Enqueue(scheduler, 10);

        Step(scheduler);
        Assert.Equal(SequenceState.Waiting, newcomer.State);
        scheduler.Remove(scheduler.Running[0]);
        Step(scheduler);
        Assert.Equal(SequenceState.Running, newcomer.State);
    }

    [Fact]
    public void Who_needs_a_block_that_is_being_computed_waits_and_others_pass()
    {
        Scheduler scheduler = NewScheduler(budget: 20);
        Sequence computing = Enqueue(scheduler, 33, seed: 1);
        Sequence same = Enqueue(scheduler, 33, seed: 1);
        Sequence other = Enqueue(scheduler, 4, seed: 2);

        Assert.Equal([(computing, 20)], Step(scheduler));
        Assert.Equal([(computing, 13), (other, 4)], Step(scheduler));
        Assert.Equal([(computing, 1), (other, 1), (same, 1)], Step(scheduler));
    }

    [Fact]
    public void Who_waited_for_a_computation_that_ended_computes_the_rest()
    {
        Scheduler scheduler = NewScheduler(budget: 20);
        Sequence computing = Enqueue(scheduler, 33, seed: 1);
        Sequence same = Enqueue(scheduler, 33, seed: 1);
        Step(scheduler);

        scheduler.Remove(computing);
        Assert.Equal([(same, 13)], Step(scheduler));
    }

    [Fact]
    public async Task Reservations_wait_in_the_same_queue()
    {
        _pool = new BlockPool(6, BlockSize);
        Scheduler scheduler = NewScheduler(budget: 64);
        var first = new Reservation([], 5);
        Sequence second = Enqueue(scheduler, 8);
        scheduler.Remove(second);
        var cancelled = new Reservation([], 6);
        scheduler.Enqueue(cancelled);
        scheduler.Enqueue(first);
        second = Enqueue(scheduler, 8, seed: 3);
        cancelled.Cancel(new CancellationToken(canceled: true));

        Assert.Empty(Step(scheduler));
        BlockLease blocks = (await first.Granted).Blocks;
        Assert.Same(second, Assert.Single(scheduler.Waiting));
        blocks.Dispose();
        Assert.Equal([(second, 8)], Step(scheduler));
    }

    [Fact]
    public async Task A_reservation_without_room_is_passed_by_nobody()
    {
        _pool = new BlockPool(6, BlockSize);
        Scheduler scheduler = NewScheduler(budget: 64);
        BlockLease some = _pool.TryReserve([], 3, out _)!;
        var large = new Reservation([], 4);
        var small = new Reservation([], 1);
        scheduler.Enqueue(large);
        scheduler.Enqueue(small);
        Sequence sequence = Enqueue(scheduler, 3);

        Assert.Empty(Step(scheduler));
        Assert.False(small.Granted.IsCompleted);

        some.Dispose();
        Assert.Equal([(sequence, 3)], Step(scheduler));
        (await large.Granted).Blocks.Dispose();
        (await small.Granted).Blocks.Dispose();
    }

    [Fact]
    public async Task A_wait_that_is_cancelled_while_it_is_granted_keeps_no_block()
    {
        int granted = 0;
        for (int i = 0; i < 20_000; i++)
        {
            var reservation = new Reservation([], 3);
            Action grant = () => reservation.TryGrant(_pool, keepAvailable: 0);
            Action cancel = () => reservation.Cancel(new CancellationToken(canceled: true));

            // On a busy machine one thread runs both, in this order.
            Parallel.Invoke(i % 2 == 0 ? [grant, cancel] : [cancel, grant]);
            if (reservation.Granted.IsCompletedSuccessfully)
            {
                granted++;
                (await reservation.Granted).Blocks.Dispose();
            }

            Assert.Equal(0, _pool.Counts.Referenced);
        }

        Assert.InRange(granted, 1, 19_999);
    }

    [Theory]
    [InlineData(11, 4)]
    [InlineData(16, 6)]
    [InlineData(23, 8)]
    public void Nobody_is_preempted_without_end(int blocks, int sequences)
    {
        _pool = new BlockPool(blocks, BlockSize);
        Scheduler scheduler = NewScheduler(budget: 64);
        var live = new List<Sequence>();
        for (int i = 0; i < sequences; i++)
        {
            Sequence sequence = NewSequence(3 + i, 50 + i, maxTokens: 37 - i);
            scheduler.Enqueue(sequence);
            live.Add(sequence);
        }

        int preempted = 0;
        for (int step = 0; live.Count > 0; step++)
        {
            Assert.True(step < 10_000, $"{live.Count} sequences don't come to their end.");
            Step(scheduler);
            preempted += _plan.Preempted.Count;
            Assert.All(live, sequence => Assert.InRange(sequence.Preemptions, 0, Scheduler.MaxPreemptions));
            foreach (Sequence done in live.Where(static sequence => sequence.Length >= 40).ToArray())
            {
                scheduler.Remove(done);
                live.Remove(done);
            }
        }

        Assert.True(preempted > sequences, "There was no pressure to speak of.");
        Assert.Equal(0, _pool.Counts.Referenced);
    }

    [Fact]
    public void Prefill_tokens_count_what_is_not_computed()
    {
        Scheduler scheduler = NewScheduler(budget: 20);
        Enqueue(scheduler, 33, seed: 1);
        Enqueue(scheduler, 10, seed: 2);
        Assert.Equal(43, scheduler.PrefillTokens);
        Step(scheduler);
        Assert.Equal(13 + 10, scheduler.PrefillTokens);
        Step(scheduler);
        Step(scheduler);
        Assert.Equal(0, scheduler.PrefillTokens);

        // What the pool holds already is nothing to compute.
        Enqueue(scheduler, 33, seed: 1);
        Assert.Equal(33 - (32 / _pool.BlockSize * _pool.BlockSize), scheduler.PrefillTokens);
    }

    [Fact]
    public void Removing_twice_is_told()
    {
        Scheduler scheduler = NewScheduler(budget: 20);
        Sequence sequence = Enqueue(scheduler, 5);
        Step(scheduler);
        Assert.True(scheduler.Remove(sequence));
        Assert.False(scheduler.Remove(sequence));
        Assert.Equal(0, _pool.Counts.Referenced);
    }

    private static Sequence NewSequence(int length, int seed, bool canBePreempted = true, int blockSize = BlockSize, int maxTokens = 1000)
    {
        var random = new Random(seed);
        return new Sequence(
            new GenerationRequest
            {
                Id = "s",
                Prompt = [.. Enumerable.Range(0, length).Select(_ => random.Next(1000))],
                MaxTokens = maxTokens,
                Sampling = new SamplingOptions(),
            },
            BlockHash.Root("model"), blockSize, maxPositions: 10_000, NoOutput.Instance, canBePreempted);
    }

    private static Sequence Enqueue(Scheduler scheduler, int length, int seed = 0)
    {
        Sequence sequence = NewSequence(length, seed == 0 ? length : seed);
        scheduler.Enqueue(sequence);
        return sequence;
    }

    private Scheduler NewScheduler(int budget, int maxRunning = 8) => new(_pool, budget, maxRunning);

    private Sequence Adopt(Scheduler scheduler, int length)
    {
        Sequence sequence = NewSequence(length, 100 + scheduler.Running.Count + length);
        sequence.TakeComputedBlocks(_pool.TryReserve([], sequence.BlocksNeeded, out _)!, _pool);
        sequence.Append(1);
        scheduler.Adopt(sequence);
        return sequence;
    }

    // Plans a step, and does what an engine would with it.
    private (Sequence Sequence, int Count)[] Step(Scheduler scheduler)
    {
        scheduler.Schedule(_plan);
        foreach ((Sequence sequence, int count) in _plan.Work)
        {
            sequence.Advance(count, _pool);
            if (sequence.Remaining == 0 && sequence.CanBePreempted)
            {
                sequence.Append(2);
            }
        }

        return [.. _plan.Work];
    }
}
