using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Sampling;
using Xunit;

namespace LlmCluster.Tests.Unit.Sampling;

public class SamplerTests
{
    [Fact]
    public void Greedy_takes_the_likeliest_token_and_the_lowest_id_of_equals()
    {
        Assert.Equal(2, Sample([0, 1, 5, 3, 5, 5], new SamplingOptions { Temperature = 0 }));
        Assert.Equal(0, Sample([-0f, 0f], new SamplingOptions { Temperature = 0 }));
    }

    [Fact]
    public void Every_draw_equals_the_plain_reference()
    {
        var random = new Random(3);
        int filtered = 0;
        for (int round = 0; round < 3000; round++)
        {
            int vocab = random.Next(1, 700);
            float[] logits = Logits(random, vocab);
            var options = new SamplingOptions
            {
                Temperature = Pick(random, 0.3f, 1, 2),
                TopK = Pick(random, 0, 0, 1, 5, 40, 1000),
                TopP = Pick(random, 1, 0.99f, 0.7f, 0.1f, 1e-6f),
                MinP = Pick(random, 0, 0, 0.02f, 0.5f, 1),
                Seed = (ulong)random.NextInt64(),
            };
            int position = random.Next(5000);

            double[] probabilities = ReferenceSampler.Probabilities(logits, options);
            double mark = Philox.Uniform(options.Seed, position);
            int token = Sample(logits, options, position);

            filtered += probabilities.Any(p => p == 0) ? 1 : 0;
            if (token != ReferenceSampler.Draw(probabilities, mark))
            {
                // Only where single precision may fall on the other side of the mark.
                Assert.True(
                    token == ReferenceSampler.Draw(probabilities, mark - 3e-6)
                    || token == ReferenceSampler.Draw(probabilities, mark + 3e-6),
                    $"Round {round}: {options} drew {token}");
            }
        }

        Assert.True(filtered > 1000);
    }

    [Fact]
    public void Draws_follow_the_distribution()
    {
        float[] logits = [1, 2, 3, 0.5f, -1, 2.5f, 1.5f, 0];
        var options = new SamplingOptions { Temperature = 0.8f, Seed = 11 };
        double[] probabilities = ReferenceSampler.Probabilities(logits, options);
        const int Draws = 60_000;
        var counts = new int[logits.Length];
        var sampler = new Sampler(logits.Length);
        for (int position = 0; position < Draws; position++)
        {
            counts[sampler.Sample(logits, State(options), position).TokenId]++;
        }

        // Chi-square with 7 degrees of freedom stays below 24.3 with probability 0.999.
        double chi = Enumerable.Range(0, counts.Length)
            .Sum(i => Math.Pow(counts[i] - (Draws * probabilities[i]), 2) / (Draws * probabilities[i]));
        Assert.True(chi < 24.3, $"chi-square {chi}");
    }

    [Fact]
    public void Equal_logits_are_cut_by_id()
    {
        float[] logits = [.. Enumerable.Repeat(1f, 100)];
        var topK = new HashSet<int>();
        var topP = new HashSet<int>();
        for (ulong seed = 0; seed < 500; seed++)
        {
            topK.Add(Sample(logits, new SamplingOptions { TopK = 3, Seed = seed }));
            topP.Add(Sample(logits, new SamplingOptions { TopP = 0.045f, Seed = seed }));
        }

        Assert.Equal([0, 1, 2], topK.Order());
        Assert.Equal([0, 1, 2, 3, 4], topP.Order());
    }

    [Fact]
    public void A_large_vocabulary_is_drawn_from_as_a_small_one()
    {
        var random = new Random(5);
        float[] logits = Logits(random, 128_256);
        for (ulong seed = 0; seed < 20; seed++)
        {
            var options = new SamplingOptions { TopP = 0.8f, TopK = 50 * (int)(seed % 2), Temperature = 0.7f, Seed = seed };
            double[] probabilities = ReferenceSampler.Probabilities(logits, options);
            double mark = Philox.Uniform(seed, 9);
            int token = Sample(logits, options, 9);
            Assert.True(
                token == ReferenceSampler.Draw(probabilities, mark) || token == ReferenceSampler.Draw(probabilities, mark - 1e-5)
                || token == ReferenceSampler.Draw(probabilities, mark + 1e-5));
        }
    }

    [Fact]
    public void The_result_does_not_depend_on_what_was_sampled_before()
    {
        var random = new Random(8);
        float[] logits = Logits(random, 500);
        var options = new SamplingOptions { TopP = 0.9f, TopLogprobs = 5, PresencePenalty = 1, Seed = 1 };
        GeneratedToken alone = new Sampler(500).Sample(logits, State(options, answer: [3, 4]), 77);

        var busy = new Sampler(500);
        for (int i = 0; i < 10; i++)
        {
            busy.Sample(Logits(random, 500), State(new SamplingOptions { TopK = 7, MinP = 0.1f, FrequencyPenalty = 1 }, answer: [i]), i);
        }

        GeneratedToken after = busy.Sample(logits, State(options, answer: [3, 4]), 77);
        Assert.Equal((alone.TokenId, alone.Logprob), (after.TokenId, after.Logprob));
        Assert.Equal(alone.TopLogprobs!, after.TopLogprobs!);
    }

    [Fact]
    public void Logprobs_are_those_of_the_raw_logits()
    {
        float[] logits = [1, 4, 2, 4, float.NegativeInfinity];
        var options = new SamplingOptions
        {
            Temperature = 0,
            TopLogprobs = 3,
            TopK = 1,
            LogitBias = new Dictionary<int, float> { [0] = 100 },
        };
        GeneratedToken token = new Sampler(5).Sample(logits, State(options), 0);

        double logSum = Math.Log(logits.Sum(l => Math.Exp(l)));
        Assert.Equal(0, token.TokenId);
        Assert.Equal(1 - logSum, token.Logprob!.Value, 1e-5);
        Assert.Equal([1, 3, 2], token.TopLogprobs!.Select(t => t.TokenId));
        Assert.Equal(4 - logSum, token.TopLogprobs![0].Logprob, 1e-5);
        Assert.Equal(2 - logSum, token.TopLogprobs![2].Logprob, 1e-5);
    }

    [Fact]
    public void Logprobs_are_reported_as_far_as_asked()
    {
        float[] logits = [1, 2];
        Assert.Null(new Sampler(2).Sample(logits, State(new SamplingOptions()), 0).Logprob);
        GeneratedToken chosen = new Sampler(2).Sample(logits, State(new SamplingOptions { TopLogprobs = 0 }), 0);
        Assert.NotNull(chosen.Logprob);
        Assert.Empty(chosen.TopLogprobs!);
        Assert.Equal(2, new Sampler(2).Sample(logits, State(new SamplingOptions { TopLogprobs = 2 }), 0).TopLogprobs!.Length);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Damaged_logits_are_an_internal_error(float damage)
    {
        var error = Assert.Throws<GenerationException>(() => Sample([0, 1, damage, 2], new SamplingOptions { Temperature = 0 }, 31));
        Assert.Equal(GenerationError.Internal, error.Error);
        Assert.Contains("position 31", error.Message, StringComparison.Ordinal);
    }

    internal static SequenceSampling State(
        SamplingOptions options, int[]? prompt = null, int[]? answer = null, int[]? stop = null, int minTokens = 0)
    {
        var state = new SequenceSampling(options, prompt ?? [], stop ?? [], minTokens);
        foreach (int token in answer ?? [])
        {
            state.Append(token);
        }

        return state;
    }

    private static int Sample(float[] logits, SamplingOptions options, int position = 0) =>
        new Sampler(logits.Length).Sample(logits, State(options), position).TokenId;

    // Peaked, flat, with ties, with impossible tokens.
    private static float[] Logits(Random random, int vocab)
    {
        float scale = Pick(random, 0.01f, 1, 8, 40);
        bool ties = random.Next(3) == 0;
        float[] logits = new float[vocab];
        for (int i = 0; i < vocab; i++)
        {
            float logit = (float)((random.NextDouble() - 0.7) * scale);
            logits[i] = ties ? MathF.Round(logit) : logit;
            logits[i] = i > 0 && random.Next(50) == 0 ? float.NegativeInfinity : logits[i];
        }

        return logits;
    }

    private static T Pick<T>(Random random, params T[] values) => values[random.Next(values.Length)];
}
