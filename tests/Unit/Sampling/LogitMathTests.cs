using LlmCluster.Inference.Sampling;
using Xunit;

namespace LlmCluster.Tests.Unit.Sampling;

public class LogitMathTests
{
    [Fact]
    public void Exponentials_are_accurate_to_a_few_units_in_the_last_place()
    {
        var random = new Random(1);
        float[] logits = [.. Enumerable.Range(0, 10_007).Select(_ => (float)(random.NextDouble() * -90)), 0];
        var weights = new float[logits.Length];

        LogitMath.Exponentials(logits, max: 0, temperature: 1, weights);

        for (int i = 0; i < logits.Length; i++)
        {
            double exact = Math.Exp(logits[i]);
            double tolerance = logits[i] < -87.3 ? 1.2e-38 : exact * 3e-7;
            Assert.True(Math.Abs(weights[i] - exact) <= tolerance, $"exp({logits[i]}) gave {weights[i]}");
        }

        Assert.Equal(1f, weights[^1]);
    }

    [Fact]
    public void Exponentials_scale_by_temperature_and_vanish_at_minus_infinity()
    {
        float[] logits = [3, 1, float.NegativeInfinity, -1000];
        var weights = new float[4];
        LogitMath.Exponentials(logits, max: 3, temperature: 0.5f, weights);
        Assert.Equal([1f, MathF.Exp(-4), 0f, 0f], weights.Select(w => w), (a, b) => MathF.Abs(a - b) < 1e-7f);
        Assert.Equal(0f, weights[2]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(13)]
    [InlineData(300)]
    public void Max_finds_the_largest_and_any_nan_at_every_index(int length)
    {
        for (int i = 0; i < length; i++)
        {
            float[] logits = [.. Enumerable.Repeat(-2f, length)];
            logits[i] = -1;
            Assert.Equal(-1f, LogitMath.Max(logits));
            logits[i] = float.NaN;
            Assert.True(float.IsNaN(LogitMath.Max(logits)), $"NaN at {i}");
        }
    }

    [Fact]
    public void A_number_has_the_same_exponential_wherever_it_stands()
    {
        for (int length = 1; length < 40; length++)
        {
            float[] logits = [.. Enumerable.Repeat(-1.2345f, length)];
            var weights = new float[length];
            LogitMath.Exponentials(logits, 0.5f, 0.7f, weights);
            Assert.Single(weights.Distinct());
        }
    }

    [Fact]
    public void Chunk_sums_add_up_to_the_total()
    {
        float[] weights = [.. Enumerable.Range(1, 1000).Select(i => 1f / i)];
        var sums = new double[4];
        double total = LogitMath.ChunkSums(weights, sums);
        Assert.Equal(sums[0] + sums[1] + sums[2] + sums[3], total);
        Assert.Equal(weights.Skip(256).Take(256).Sum(w => (double)w), sums[1], 1e-12);
        Assert.Equal(weights.Skip(768).Sum(w => (double)w), sums[3], 1e-12);
    }
}
