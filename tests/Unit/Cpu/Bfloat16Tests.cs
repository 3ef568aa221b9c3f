using LlmCluster.Inference.Cpu.Kernels;
using Xunit;

namespace LlmCluster.Tests.Unit.Cpu;

public sealed unsafe class Bfloat16Tests
{
    [Theory]
    [InlineData(0x3F800000u, 0x3F80)] // 1
    [InlineData(0x3F808000u, 0x3F80)] // halfway, even below
    [InlineData(0x3F818000u, 0x3F82)] // halfway, even above
    [InlineData(0x3F808001u, 0x3F81)] // just over halfway
    [InlineData(0x3F807FFFu, 0x3F80)] // just under halfway
    [InlineData(0x7F7FFFFFu, 0x7F80)] // the largest single rounds to infinity
    [InlineData(0x7F800000u, 0x7F80)] // infinity
    [InlineData(0xFF800000u, 0xFF80)]
    [InlineData(0x80000000u, 0x8000)] // -0
    [InlineData(0x00008000u, 0x0000)] // subnormal, halfway
    [InlineData(0x7F800001u, 0x7FC0)] // a NaN whose mantissa would be cut away
    [InlineData(0xFFFFFFFFu, 0xFFFF)] // a NaN whose mantissa would carry
    public void Rounds_to_nearest_even(uint bits, int expected)
    {
        float value = BitConverter.UInt32BitsToSingle(bits);
        Assert.Equal(expected, Bfloat16.FromSingle(value));
        Assert.All(Narrow([.. Enumerable.Repeat(value, 11)]), actual => Assert.Equal(expected, actual));
    }

    [Fact]
    public void The_nearest_is_chosen_for_random_bits()
    {
        var random = new Random(31);
        float[] values = [.. Enumerable.Range(0, 20_000).Select(_ => BitConverter.UInt32BitsToSingle((uint)random.NextInt64(1L << 32)))
            .Where(v => float.IsFinite(v) && Math.Abs(v) < 3e38f)];

        ushort[] narrow = Narrow(values);

        for (int i = 0; i < values.Length; i++)
        {
            double error = Math.Abs((double)values[i] - Bfloat16.ToSingle(narrow[i]));
            Assert.True(error <= Math.Abs((double)values[i] - Bfloat16.ToSingle((ushort)(narrow[i] + 1))));
            Assert.True((narrow[i] & 0x7FFF) == 0 || error <= Math.Abs((double)values[i] - Bfloat16.ToSingle((ushort)(narrow[i] - 1))));
            Assert.Equal(Bfloat16.FromSingle(values[i]), narrow[i]);
        }
    }

    [Fact]
    public void Every_number_survives_widening_and_narrowing()
    {
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
        {
            float value = Bfloat16.ToSingle((ushort)bits);
            Assert.Equal(float.IsNaN(value) ? bits | 0x40 : bits, Bfloat16.FromSingle(value));
        }
    }

    private static ushort[] Narrow(float[] values)
    {
        var result = new ushort[values.Length];
        fixed (float* from = values)
        fixed (ushort* to = result)
        {
            Bfloat16.Narrow(from, to, values.Length);
        }

        return result;
    }
}
