using FsCheck;
using FsCheck.Fluent;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Sampling;
using LlmCluster.Inference.Scheduling;
using LlmCluster.Inference.Scheduling.Prediction;
using Xunit;

namespace LlmCluster.Tests.Unit.Scheduling.Prediction;

/// <summary>The scheduler with predicted outputs: sequences run on it step by step, as an engine runs them, to ends that only the test knows.</summary>
public class PredictedAdmissionTests
{
    private const int BlockSize = 4;
    private const int Prompt = 8;
    private const int Output = 40;

    [Fact]
    public void Fewer_sequences_give_their_blocks_up_when_long_outputs_are_foreseen()
    {
        var predictor = new OutputLengthPredictor();
        for (int i = 0; i < 500; i++)
        {
            predictor.Observe(Shape(), Output, ended: true);
        }

        int[] outputs = [.. Enumerable.Repeat(Output, 24)];
        World blind = Run(new BlockPool(40, BlockSize), null, outputs);
        World foreseeing = Run(new BlockPool(40, BlockSize), predictor, outputs);
        Assert.True(blind.Preemptions > 10, $"There was no pressure to speak of: {blind.Preemptions}.");
        Assert.True(foreseeing.Preemptions * 4 < blind.Preemptions, $"{foreseeing.Preemptions} and not many fewer than {blind.Preemptions}.");
        Assert.True(foreseeing.Computed < blind.Computed, $"{foreseeing.Computed} tokens were computed, {blind.Computed} without predictions.");
    }

    [Fact]
    public void A_newcomer_waits_until_there_is_room_for_all_to_end()
    {
        var pool = new BlockPool(20, BlockSize);
        var world = new World(pool, new Foretold(Output));
        Sequence first = world.Add(Prompt, Output);
        Sequence second = world.Add(Prompt, Output);
        world.Step();

        // Each needs 12 blocks at its end: two don't fit 20.
        Assert.Equal((SequenceState.Running, SequenceState.Waiting), (first.State, second.State));

        // When the first one has 12 and few tokens to go, the second one begins: it gets the first one's blocks in time.
        while (second.State == SequenceState.Waiting)
        {
            world.Step();
        }

        Assert.InRange(first.Generated, 10, Output - 1);
        world.RunToEnd();
        Assert.Equal(0, world.Preemptions);
    }

    [Fact]
    public void What_is_foreseen_larger_than_the_pool_runs_alone()
    {
        var world = new World(new BlockPool(14, BlockSize), new Foretold(100_000));
        Sequence[] all = [.. Enumerable.Range(0, 5).Select(_ => world.Add(Prompt, Output))];
        world.RunToEnd();
        Assert.Equal((1, 0), (world.MostRunning, world.Preemptions));
        Assert.All(all, sequence => Assert.Equal(SequenceState.Ended, sequence.State));
    }

    [Fact]
    public async Task Transfers_wait_for_foreseen_room_too()
    {
        var pool = new BlockPool(20, BlockSize);
        var world = new World(pool, new Foretold(Output));
        world.Add(Prompt, Output);
        world.Step();
        var reservation = new Reservation([], 12);
        world.Scheduler.Enqueue(reservation);
        world.Step();
        Assert.False(reservation.Granted.IsCompleted);
        Assert.Equal(12 - 3, world.Scheduler.Room);
        world.RunToEnd();
        Assert.True(reservation.Granted.IsCompletedSuccessfully);
        (await reservation.Granted).Blocks.Dispose();
    }

    [Fact]
    public void Prompts_for_other_workers_do_not_wait_for_it()
    {
        var world = new World(new BlockPool(20, BlockSize), new Foretold(Output));
        world.Add(Prompt, Output);
        world.Step();
        Sequence prefill = world.Add(40, 1, canBePreempted: false);
        world.Step();
        Assert.Equal(SequenceState.Ended, prefill.State);
    }

    [Fact]
    public void Load_counts_what_is_foreseen()
    {
        var world = new World(new BlockPool(20, BlockSize), new Foretold(Output));
        world.Add(Prompt, Output);
        world.Add(Prompt, Output);
        world.Step();
        Assert.Equal((Output - 1) + Output, world.Scheduler.PredictedTokens);
        Assert.Equal((Prompt + Output + BlockSize - 1) / BlockSize, world.Scheduler.PredictedWaitingBlocks);
    }

    [Fact]
    public void The_least_work_comes_first_with_outputs_as_foreseen()
    {
        var pool = new BlockPool(1000, BlockSize);
        var policy = new ShortestUncachedFirst(TimeSpan.FromSeconds(10), () => 2);
        var predictor = new Foretold(shape => shape.PromptTokens == 100 ? 5 : 200);
        Sequence longPrompt = World.New(predictor, 100, 1);
        Sequence longOutput = World.New(predictor, 20, 2);
        Sequence prefill = World.New(null, 100, 3, canBePreempted: false);
        Assert.Equal(110, policy.Rank(longPrompt, pool, TimeSpan.Zero));
        Assert.Equal(420, policy.Rank(longOutput, pool, TimeSpan.Zero));
        Assert.Equal(100, policy.Rank(prefill, pool, TimeSpan.Zero));
    }

    [Fact]
    public void Whatever_is_foreseen_every_sequence_ends()
    {
        Gen<(int, int, int)> sequence = Gen.Choose(1, 30).SelectMany(prompt => Gen.Choose(1, 50).SelectMany(output => Gen.Choose(0, 9).Select(kind => (prompt, output, kind))));
        Gen<(int Blocks, int Running, int Foretold, (int, int, int)[] Sequences)> cases = Gen.Choose(20, 60).SelectMany(
            blocks => Gen.Choose(1, 10).SelectMany(running => Gen.Elements(0, 1, 10, 40, 1000, int.MaxValue).SelectMany(
                foretold => sequence.ArrayOf(20).Select(sequences => (blocks, running, foretold, sequences)))));
        Prop.ForAll(cases.ToArbitrary(), Check).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

        static void Check((int Blocks, int Running, int Foretold, (int Prompt, int Output, int Kind)[] Sequences) given)
        {
            // Foretold as given, at random where nothing is given, at random outputs in any case: always the same for a seed.
            var random = new Random(given.Foretold);
            var pool = new BlockPool(given.Blocks, BlockSize);
            var world = new World(pool, new Foretold(_ => given.Foretold > 0 ? given.Foretold : random.Next(1, 500)), given.Running);
            foreach ((int prompt, int output, int kind) in given.Sequences)
            {
                world.Add(prompt, output, canBePreempted: kind > 1);
                if (kind % 3 == 0)
                {
                    world.Step();
                }
            }

            world.RunToEnd();
            Assert.Equal(given.Sequences.Length, world.Ended);
            Assert.Equal((0, 0), (pool.Counts.Referenced, world.Scheduler.Waiting.Count));
        }
    }

    private static RequestShape Shape() => new("m", 0, RequestKind.Chat, Prompt, 1000);

    private static World Run(BlockPool pool, IOutputLengthPredictor? predictor, int[] outputs)
    {
        var world = new World(pool, predictor);
        foreach (int output in outputs)
        {
            world.Add(Prompt, output);
        }

        world.RunToEnd();
        Assert.Equal(outputs.Length, world.Ended);
        Assert.Equal(0, pool.Counts.Referenced);
        return world;
    }

    /// <summary>Predicts what the test says, true or not.</summary>
    private sealed class Foretold(Func<RequestShape, int> length) : IOutputLengthPredictor
    {
        public Foretold(int length)
            : this(_ => length)
        {
        }

        public void Predict(in RequestShape shape, int generated, ReadOnlySpan<double> quantiles, Span<int> lengths) =>
            lengths.Fill(Math.Min(Math.Max(length(shape), generated + 1), shape.MaxTokens));

        public void Observe(in RequestShape shape, int tokens, bool ended)
        {
        }
    }

    /// <summary>A scheduler and what an engine does around it.</summary>
    private sealed class World(BlockPool pool, IOutputLengthPredictor? predictor, int maxRunning = 8)
    {
        private const int MostTokens = 1000;
        private readonly StepPlan _plan = new();
        private readonly Dictionary<Sequence, int> _live = [];
        private int _made;

        public Scheduler Scheduler { get; } = new(pool, 64, maxRunning);

        public int Preemptions { get; private set; }

        public int MostRunning { get; private set; }

        public long Computed { get; private set; }

        public int Ended { get; private set; }

        public static Sequence New(IOutputLengthPredictor? predictor, int prompt, int seed, bool canBePreempted = true)
        {
            var random = new Random(seed);
            var forecast = predictor is null || !canBePreempted
                ? null
                : new SequenceForecast(predictor, null, Shape() with { PromptTokens = prompt, MaxTokens = MostTokens }, 0, canStop: true, 0.5);
            return new Sequence(
                new GenerationRequest
                {
                    Id = $"s{seed}",
                    Prompt = [.. Enumerable.Range(0, prompt).Select(_ => random.Next(1000))],
                    MaxTokens = MostTokens,
                    Sampling = new SamplingOptions(),
                },
                BlockHash.Root("model"), BlockSize, maxPositions: 10_000, NoOutput.Instance, canBePreempted, forecast);
        }

        public Sequence Add(int prompt, int output, bool canBePreempted = true)
        {
            Sequence sequence = New(predictor, prompt, ++_made, canBePreempted);
            _live.Add(sequence, output);
            Scheduler.Enqueue(sequence);
            return sequence;
        }

        public void RunToEnd()
        {
            for (int step = 0; _live.Count > 0 || Scheduler.Waiting.Count > 0; step++)
            {
                Assert.True(step < 20_000, $"{_live.Count} sequences don't come to their end.");
                Step();
            }
        }

        public void Step()
        {
            Scheduler.Schedule(_plan);
            Assert.Empty(_plan.Overgrown);
            Preemptions += _plan.Preempted.Count;
            MostRunning = Math.Max(MostRunning, Scheduler.Running.Count);
            foreach ((Sequence sequence, int count) in _plan.Work)
            {
                Computed += count;
                sequence.Advance(count, pool);
                if (sequence.Remaining > 0)
                {
                    continue;
                }

                sequence.Append(1);
                if (!sequence.CanBePreempted || sequence.Generated >= _live[sequence])
                {
                    Scheduler.Remove(sequence);
                    _live.Remove(sequence);
                    Ended++;
                }
            }
        }
    }
}
