using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Sampling;
using LlmCluster.Inference.Scheduling;
using Xunit;

namespace LlmCluster.Tests.Unit.Scheduling;

public class QueuePolicyTests
{
    private const int BlockSize = 4;
    private static readonly TimeSpan Ageing = TimeSpan.FromSeconds(10);
    private readonly BlockPool _pool = new(1000, BlockSize);
    private readonly StepPlan _plan = new();
    private int _made;

    [Fact]
    public void Arrival_decides_unless_something_else_is_asked_for()
    {
        Sequence[] all = [New(100), New(5), New(50)];
        Assert.Equal(all, Admitted(null, all));
        Assert.Equal(all, Admitted(new FirstComeFirstServed(), all));
    }

    [Fact]
    public void The_shortest_comes_first_and_equals_keep_their_order()
    {
        Sequence[] all = [New(100), New(5), New(50), New(5)];
        Assert.Equal([all[1], all[3], all[2], all[0]], Admitted(new ShortestUncachedFirst(Ageing), all));
    }

    [Fact]
    public void What_is_cached_does_not_count_as_length()
    {
        Sequence first = New(100, seed: 7);
        Assert.Equal([first], Admitted(new ShortestUncachedFirst(Ageing), first));
        Sequence again = New(100, seed: 7);
        Sequence shorter = New(20);
        Assert.Equal([again, shorter], Admitted(new ShortestUncachedFirst(Ageing), shorter, again));
    }

    [Fact]
    public void Less_priority_is_sooner()
    {
        Sequence[] all = [New(10, priority: 1), New(10, priority: -1), New(10), New(10, priority: -1)];
        Assert.Equal([all[1], all[3], all[2], all[0]], Admitted(new PriorityFirst(Ageing), all));
    }

    [Theory]
    [InlineData(0, 5, 100)]
    [InlineData(9, 5, 100 - (0.9 * ShortestUncachedFirst.AgeingTokens))]
    [InlineData(30, 2, 100 - (3.0 * ShortestUncachedFirst.AgeingTokens))]
    public void Waiting_makes_up_for_priority_and_for_length(int seconds, double priority, double length)
    {
        Sequence sequence = New(100, priority: 5);
        TimeSpan waited = TimeSpan.FromSeconds(seconds);
        Assert.Equal(priority, new PriorityFirst(Ageing).Rank(sequence, _pool, waited));
        Assert.Equal(length, new ShortestUncachedFirst(Ageing).Rank(sequence, _pool, waited), 1e-6);
    }

    [Fact]
    public void A_sequence_that_lost_its_place_comes_before_shorter_ones()
    {
        var pool = new BlockPool(9, BlockSize);
        var scheduler = new Scheduler(pool, 64, 8, null, new ShortestUncachedFirst(Ageing));
        Sequence older = New(15);
        Sequence longer = New(15, seed: 2);
        scheduler.Enqueue(older);
        scheduler.Enqueue(longer);
        Step(scheduler, pool);
        Sequence late = New(2, seed: 3);
        scheduler.Enqueue(late);
        while (longer.State == SequenceState.Running)
        {
            Step(scheduler, pool);
        }

        scheduler.Remove(older);
        Assert.Equal([longer, late], Step(scheduler, pool));
    }

    [Fact]
    public void Reservations_come_before_prompts()
    {
        var scheduler = new Scheduler(_pool, 64, 8, null, new ShortestUncachedFirst(Ageing));
        scheduler.Enqueue(New(5));
        var reservation = new Reservation([], 990);
        scheduler.Enqueue(reservation);
        scheduler.Enqueue(New(200, seed: 4));
        scheduler.Schedule(_plan);
        Assert.True(reservation.Granted.IsCompletedSuccessfully);
    }

    private IEnumerable<Sequence> Admitted(IQueuePolicy? policy, params Sequence[] sequences)
    {
        var scheduler = new Scheduler(_pool, 1024, 8, null, policy);
        foreach (Sequence sequence in sequences)
        {
            sequence.QueuedAt = Environment.TickCount64;
            scheduler.Enqueue(sequence);
        }

        Sequence[] admitted = Step(scheduler, _pool);
        foreach (Sequence sequence in sequences)
        {
            scheduler.Remove(sequence);
        }

        return admitted;
    }

    private Sequence[] Step(Scheduler scheduler, BlockPool pool)
    {
        scheduler.Schedule(_plan);
        foreach ((Sequence sequence, int count) in _plan.Work)
        {
            sequence.Advance(count, pool);
            if (sequence.Remaining == 0)
            {
                sequence.Append(1);
            }
        }

        return [.. _plan.Admitted];
    }

    // Each with tokens of its own, unless a seed is given: equal prompts wait for each other.
    private Sequence New(int length, int seed = 0, int priority = 0)
    {
        var random = new Random(seed == 0 ? 1000 + _made++ : seed);
        return new Sequence(
            new GenerationRequest
            {
                Id = "s",
                Prompt = [.. Enumerable.Range(0, length).Select(_ => random.Next(1000))],
                MaxTokens = 1000,
                Sampling = new SamplingOptions(),
                Priority = priority,
            },
            BlockHash.Root("model"), BlockSize, maxPositions: 10_000, NoOutput.Instance, canBePreempted: true);
    }
}
