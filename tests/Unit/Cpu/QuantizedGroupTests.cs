using LlmCluster.Inference.Cpu.Kernels;
using Xunit;

namespace LlmCluster.Tests.Unit.Cpu;

public sealed class QuantizedGroupTests
{
    [Fact]
    public void Bytes_are_off_by_half_a_step_at_most()
    {
        foreach (float[] group in Groups())
        {
            float scale = QuantizedGroup.ScaleOfBytes(group);
            Assert.All(group, number => Assert.True(Math.Abs(number - (QuantizedGroup.ToByte(number, scale) * scale)) <= 0.501f * scale));
        }
    }

    [Fact]
    public void The_scale_of_nibbles_is_at_least_as_good_as_the_one_that_reaches_the_largest()
    {
        int better = 0;
        foreach (float[] group in Groups())
        {
            float plain = Bfloat16.ToSingle(Bfloat16.FromSingle(group.MaxBy(Math.Abs) / -8));
            double chosen = Error(group, QuantizedGroup.ScaleOfNibbles(group));
            Assert.True(chosen <= 1.0001 * Error(group, plain));
            better += chosen < 0.999 * Error(group, plain) ? 1 : 0;
        }

        Assert.InRange(better, 50, 200);
    }

    [Fact]
    public void Zeros_stay_zeros()
    {
        float[] zeros = new float[32];
        Assert.Equal(0, QuantizedGroup.ScaleOfBytes(zeros));
        Assert.Equal(0, QuantizedGroup.ScaleOfNibbles(zeros));
        Assert.Equal(0, QuantizedGroup.ToByte(0, 0));
        Assert.Equal(0, QuantizedGroup.ToNibble(0, 0));
    }

    private static double Error(float[] group, float scale) =>
        group.Sum(number => Math.Pow(number - (QuantizedGroup.ToNibble(number, scale) * scale), 2));

    // As weights are: most near zero, a few far from it.
    private static IEnumerable<float[]> Groups()
    {
        var random = new Random(3);
        return Enumerable.Range(0, 200).Select(_ => Enumerable.Range(0, 32)
            .Select(_ => (float)((random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5) * 0.1)).ToArray());
    }
}
