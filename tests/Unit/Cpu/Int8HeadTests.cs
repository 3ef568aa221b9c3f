using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.KvCache;
using Xunit;

namespace LlmCluster.Tests.Unit.Cpu;

public sealed unsafe class Int8HeadTests
{
    [Theory]
    [InlineData(0.004f)]
    [InlineData(1f)]
    [InlineData(3e20f)]
    public void Numbers_come_back_within_half_a_step(float size)
    {
        var random = new Random(3);
        float[] numbers = [.. Enumerable.Range(0, 70).Select(_ => size * ((2 * random.NextSingle()) - 1))];
        (float scale, sbyte[] integers) = Write(numbers);
        Assert.Equal(numbers.Max(Math.Abs) / 127, scale);
        Assert.Equal(127, integers.Max(i => Math.Abs((int)i)));
        for (int i = 0; i < numbers.Length; i++)
        {
            Assert.InRange(Math.Abs(numbers[i] - (integers[i] * scale)), 0, 0.5001f * scale);
        }
    }

    [Fact]
    public void Nothing_stays_nothing()
    {
        (float scale, sbyte[] integers) = Write(new float[16]);
        Assert.Equal(0, scale);
        Assert.All(integers, i => Assert.Equal(0, i));
    }

    [Fact]
    public void The_smallest_numbers_stay_in_range()
    {
        (_, sbyte[] integers) = Write([float.Epsilon, -float.Epsilon, 100 * float.Epsilon, 0]);
        Assert.All(integers, i => Assert.InRange(i, -127, 127));
    }

    [Theory]
    [InlineData(KvDtype.F32, 70, 280)]
    [InlineData(KvDtype.BF16, 70, 140)]
    [InlineData(KvDtype.Int8, 70, 76)]
    [InlineData(KvDtype.Int8, 64, 68)]
    public void A_head_takes_whole_words(KvDtype dtype, int headDim, int bytes)
    {
        var layout = new KvLayout(2, 3, headDim, dtype, 16);
        Assert.Equal((bytes, 3 * bytes, 2 * 16 * 3 * bytes), (layout.HeadBytes, layout.TokenBytes, layout.LayerBlockBytes));
        Assert.Equal($"kv:l2:h3x{headDim}:{dtype.ToString().ToLowerInvariant()}:b16", layout.Fingerprint);
    }

    private static (float Scale, sbyte[] Integers) Write(float[] numbers)
    {
        byte[] bytes = new byte[KvLayout.HeadBytesOf(KvDtype.Int8, numbers.Length)];
        fixed (float* from = numbers)
        fixed (byte* to = bytes)
        {
            Int8Head.Write(from, numbers.Length, to);
            return (*(float*)to, [.. bytes.Skip(Int8Head.ScaleBytes).Take(numbers.Length).Select(b => (sbyte)b)]);
        }
    }
}
