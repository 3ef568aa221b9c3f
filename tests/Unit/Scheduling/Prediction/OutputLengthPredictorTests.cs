using FsCheck;
using FsCheck.Fluent;
using LlmCluster.Inference.Scheduling.Prediction;
using Xunit;

namespace LlmCluster.Tests.Unit.Scheduling.Prediction;

public class OutputLengthPredictorTests
{
    private static readonly RequestShape Chat = new("m", 0, RequestKind.Chat, 1000, 100_000);

    [Theory]
    [InlineData(0.1)]
    [InlineData(0.5)]
    [InlineData(0.9)]
    [InlineData(0.99)]
    public void Quantiles_of_an_even_distribution_are_found(double quantile)
    {
        OutputLengthPredictor predictor = Seen(Uniform(10_000));
        Assert.InRange(predictor.Predict(Chat, quantile), 1000 * quantile * 0.93, 1000 * quantile * 1.07);
    }

    [Theory]
    [InlineData(0.3, 3)]
    [InlineData(0.69, 3)]
    [InlineData(0.72, 9)]
    [InlineData(0.98, 9)]
    public void Short_lengths_are_told_apart(double quantile, int expected)
    {
        OutputLengthPredictor predictor = Seen(Enumerable.Range(0, 5000).Select(i => i % 10 < 7 ? 3 : 9));
        Assert.Equal(expected, predictor.Predict(Chat, quantile));
    }

    [Fact]
    public void What_is_left_is_predicted_from_outputs_that_became_as_long()
    {
        OutputLengthPredictor predictor = Seen(Uniform(10_000));
        Assert.InRange(predictor.Predict(Chat, 0.5, generated: 600), 760, 840);
        Assert.InRange(predictor.Predict(Chat, 0.9, generated: 900), 960, 1024);
    }

    [Fact]
    public void Before_anything_was_seen_a_magnitude_is_guessed()
    {
        var predictor = new OutputLengthPredictor();
        Assert.InRange(predictor.Predict(Chat with { MaxTokens = int.MaxValue }, 0.5), 250, 262);
        Assert.InRange(predictor.Predict(Chat with { MaxTokens = int.MaxValue }, 0.9), 2200, 2400);
        Assert.Equal(16, predictor.Predict(Chat with { MaxTokens = 16 }, 0.5));
    }

    [Fact]
    public void A_change_is_followed()
    {
        var predictor = new OutputLengthPredictor(new OutputLengthPredictorOptions { Window = 200 });
        Observe(predictor, Chat, 3000, _ => 100);
        Assert.InRange(predictor.Predict(Chat, 0.5), 96, 112);
        Observe(predictor, Chat, 200, _ => 1000);
        Assert.InRange(predictor.Predict(Chat, 0.5), 960, 1024);
        Observe(predictor, Chat, 1000, _ => 1000);
        Assert.InRange(predictor.Predict(Chat, 0.05), 960, 1024);
    }

    [Fact]
    public void A_tenant_with_few_outputs_is_thought_to_be_like_the_others_and_one_with_many_is_known()
    {
        var predictor = new OutputLengthPredictor();
        RequestShape tenant = Chat with { Tenant = RequestShape.TenantKey("a") };
        Observe(predictor, Chat, 500, _ => 100);
        int others = predictor.Predict(Chat, 0.5);
        Assert.Equal(others, predictor.Predict(tenant, 0.5));

        predictor.Observe(tenant, 2000, ended: true);
        Assert.InRange(predictor.Predict(tenant, 0.5), others, others + 8);
        Observe(predictor, tenant, 300, _ => 2000);
        Assert.InRange(predictor.Predict(tenant, 0.5), 1920, 2048);
        Assert.InRange(predictor.Predict(tenant with { Tenant = RequestShape.TenantKey("b") }, 0.1), 96, 112);
    }

    [Fact]
    public void A_shape_that_was_not_seen_is_thought_to_be_like_the_model()
    {
        OutputLengthPredictor predictor = Seen(Uniform(5000));
        Assert.InRange(predictor.Predict(Chat with { Kind = RequestKind.Tools, PromptTokens = 5 }, 0.5), 460, 540);
        Assert.Equal(1, new OutputLengthPredictor().Predict(Chat with { Model = "other", MaxTokens = 1 }, 0.9));
    }

    [Fact]
    public void Shapes_are_told_apart()
    {
        var predictor = new OutputLengthPredictor();
        RequestShape tools = Chat with { Kind = RequestKind.Tools };
        for (int i = 0; i < 1000; i++)
        {
            predictor.Observe(Chat, 800, ended: true);
            predictor.Observe(tools, 20, ended: true);
        }

        Assert.InRange(predictor.Predict(Chat, 0.5), 768, 832);
        Assert.InRange(predictor.Predict(tools, 0.5), 19, 20);
    }

    [Fact]
    public void Outputs_that_were_cut_short_do_not_make_predictions_short()
    {
        // Half of all outputs are cut somewhere on their way; the same outputs taken for whole ones would halve the median.
        var random = new Random(5);
        var predictor = new OutputLengthPredictor(new OutputLengthPredictorOptions { Window = 20_000 });
        var naive = new OutputLengthPredictor(new OutputLengthPredictorOptions { Window = 20_000 });
        for (int i = 0; i < 40_000; i++)
        {
            int length = random.Next(1, 1001);
            int cut = random.Next(1, 1001);
            predictor.Observe(Chat, Math.Min(length, cut), ended: length <= cut);
            naive.Observe(Chat, Math.Min(length, cut), ended: true);
        }

        Assert.All([0.1, 0.25, 0.5, 0.75, 0.9], quantile => Assert.InRange(predictor.Predict(Chat, quantile), 1000 * quantile * 0.94, 1000 * quantile * 1.06));
        Assert.InRange(naive.Predict(Chat, 0.5), 1, 320);
    }

    [Fact]
    public void What_is_always_cut_at_a_limit_is_thought_to_be_longer()
    {
        var predictor = new OutputLengthPredictor();
        RequestShape cut = Chat with { MaxTokens = 256 };
        for (int i = 0; i < 500; i++)
        {
            predictor.Observe(cut, i % 4 == 0 ? 100 : 256, ended: i % 4 == 0);
        }

        Assert.InRange(predictor.Predict(cut, 0.2), 96, 104);
        Assert.Equal(256, predictor.Predict(cut, 0.5));
        Assert.True(predictor.Predict(cut with { MaxTokens = 400 }, 0.5) > 256);
    }

    [Fact]
    public void Keys_are_bounded_and_the_model_outlives_its_tenants()
    {
        var predictor = new OutputLengthPredictor(new OutputLengthPredictorOptions { MaxKeys = 50 });
        for (int i = 0; i < 1000; i++)
        {
            predictor.Observe(Chat with { Tenant = (ulong)(i + 1) }, 500, ended: true);
            Assert.InRange(predictor.Keys, 1, 50);
        }

        Assert.InRange(predictor.Predict(Chat, 0.5), 480, 512);
        Assert.InRange(predictor.Predict(Chat with { Tenant = 5000 }, 0.5), 480, 512);
    }

    [Fact]
    public void The_same_calls_give_the_same_answers()
    {
        int[] first = Run();
        Assert.Equal(first, Run());

        static int[] Run()
        {
            var random = new Random(3);
            var predictor = new OutputLengthPredictor();
            return [.. Enumerable.Range(0, 2000).Select(_ =>
            {
                RequestShape shape = Chat with { Tenant = (ulong)random.Next(4), PromptTokens = random.Next(1, 5000) };
                predictor.Observe(shape, random.Next(1, 2000), random.Next(3) > 0);
                return predictor.Predict(shape, random.NextDouble() is > 0 and var q ? q : 0.5, random.Next(1000));
            })];
        }
    }

    [Fact]
    public void Any_history_gives_quantiles_within_bounds_that_never_fall()
    {
        Gen<(int, int, bool)> output = Gen.Choose(1, 5000).SelectMany(
            tokens => Gen.Choose(0, 3).SelectMany(tenant => ArbMap.Default.GeneratorFor<bool>().Select(ended => (tokens, tenant, ended))));
        Gen<((int, int, bool)[] Seen, int Most, int Generated)> cases = output.ArrayOf(60).SelectMany(
            seen => Gen.Choose(1, 8000).SelectMany(most => Gen.Choose(0, 8000).Select(generated => (seen, most, generated))));
        Prop.ForAll(cases.ToArbitrary(), Check).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

        static void Check(((int Tokens, int Tenant, bool Ended)[] Seen, int Most, int Generated) given)
        {
            var predictor = new OutputLengthPredictor();
            foreach ((int tokens, int tenant, bool ended) in given.Seen)
            {
                predictor.Observe(Chat with { Tenant = (ulong)tenant }, tokens, ended);
            }

            double[] quantiles = [0.001, 0.1, 0.5, 0.9, 0.999];
            int[] before = new int[quantiles.Length];
            RequestShape shape = Chat with { Tenant = 1, MaxTokens = given.Most };
            for (int generated = 0; generated <= given.Generated; generated += 1 + (given.Generated / 7))
            {
                int[] lengths = new int[quantiles.Length];
                predictor.Predict(shape, generated, quantiles, lengths);
                Assert.Equal(lengths.Order(), lengths);
                Assert.All(lengths, length => Assert.InRange(length, Math.Min(generated + 1, given.Most), given.Most));
                Assert.All(lengths.Zip(before), pair => Assert.True(pair.First >= pair.Second, $"{pair.Second} fell to {pair.First}"));
                before = lengths;
            }
        }
    }

    [Fact]
    public async Task Threads_may_predict_and_observe_at_once()
    {
        var predictor = new OutputLengthPredictor(new OutputLengthPredictorOptions { MaxKeys = 20 });
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(() =>
        {
            var random = new Random(thread);
            for (int i = 0; i < 2000; i++)
            {
                RequestShape shape = Chat with { Tenant = (ulong)random.Next(20), MaxTokens = 1000 };
                predictor.Observe(shape, random.Next(1, 1000), random.Next(2) == 0);
                Assert.InRange(predictor.Predict(shape, 0.5, 10), 11, 1000);
            }
        }))).WaitAsync(TimeSpan.FromSeconds(60));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(double.NaN)]
    public void Only_what_lies_between_0_and_1_is_a_quantile(double quantile) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new OutputLengthPredictor().Predict(Chat, quantile));

    [Fact]
    public void Nothing_is_learnt_from_no_tokens()
    {
        var predictor = new OutputLengthPredictor();
        predictor.Observe(Chat, 0, ended: false);
        Assert.Equal(0, predictor.Keys);
    }

    private static OutputLengthPredictor Seen(IEnumerable<int> lengths)
    {
        var predictor = new OutputLengthPredictor();
        foreach (int length in lengths)
        {
            predictor.Observe(Chat, length, ended: true);
        }

        return predictor;
    }

    // Every length from 1 to 1000 as often, in no order.
    private static IEnumerable<int> Uniform(int count) => Enumerable.Range(0, count).Select(i => (i * 389 % 1000) + 1);

    private static void Observe(OutputLengthPredictor predictor, in RequestShape shape, int count, Func<int, int> length)
    {
        for (int i = 0; i < count; i++)
        {
            predictor.Observe(shape, length(i), ended: true);
        }
    }
}
