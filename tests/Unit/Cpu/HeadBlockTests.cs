using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.KvCache;
using Xunit;

namespace LlmCluster.Tests.Unit.Cpu;

public sealed unsafe class HeadBlockTests
{
    public static TheoryData<KvDtype, int, int> Shapes => new(
        Enum.GetValues<KvDtype>().SelectMany(dtype => ((int, int)[])[(64, 16), (70, 16), (129, 3), (6, 1), (128, 40)], (dtype, shape) => (dtype, shape.Item1, shape.Item2)));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void What_is_written_of_each_token_is_there_when_all_are(KvDtype dtype, int headDim, int blockSize)
    {
        var layout = new KvLayout(1, 1, headDim, dtype, blockSize);
        var random = new Random(5);
        float[][] keys = [.. Enumerable.Range(0, blockSize).Select(_ => Numbers(random, headDim, 1))];
        float[][] values = [.. Enumerable.Range(0, blockSize).Select(_ => Numbers(random, headDim, 1))];
        byte[] bytes = new byte[layout.BlockBytes];
        fixed (byte* head = bytes)
        {
            byte* valueHead = head + layout.HeadBlockBytes;
            foreach (int slot in Enumerable.Range(0, blockSize).OrderBy(_ => random.Next()))
            {
                fixed (float* key = keys[slot], value = values[slot])
                {
                    HeadBlock.WriteKey(layout, head, slot, key);
                    HeadBlock.WriteValue(layout, valueHead, slot, value);
                }
            }

            for (int slot = 0; slot < blockSize; slot++)
            {
                AssertNear(keys[slot], HeadBlockReader.Key(layout, head, slot), dtype);
                AssertNear(values[slot], HeadBlockReader.Value(layout, valueHead, slot), dtype);
            }
        }
    }

    [Theory]
    [InlineData(0.004f)]
    [InlineData(1f)]
    [InlineData(3e20f)]
    public void Integers_use_their_whole_range(float size)
    {
        float[] numbers = Numbers(new Random(3), 70, size);
        (float scale, float[] read) = ThroughIntegers(numbers);
        Assert.Equal(numbers.Max(Math.Abs) / 127, scale);
        Assert.Equal(127 * scale, read.Max(Math.Abs));
        for (int i = 0; i < numbers.Length; i++)
        {
            Assert.InRange(Math.Abs(numbers[i] - read[i]), 0, 0.5001f * scale);
        }
    }

    [Fact]
    public void Nothing_stays_nothing()
    {
        (float scale, float[] read) = ThroughIntegers(new float[16]);
        Assert.Equal(0, scale);
        Assert.All(read, number => Assert.Equal(0, number));
    }

    [Fact]
    public void The_smallest_numbers_stay_in_range()
    {
        (float scale, float[] read) = ThroughIntegers([float.Epsilon, -float.Epsilon, 100 * float.Epsilon, 0]);
        Assert.All(read, number => Assert.InRange(number, -127 * scale, 127 * scale));
    }

    [Theory]
    [InlineData(KvDtype.F32, 70, 280)]
    [InlineData(KvDtype.BF16, 70, 140)]
    [InlineData(KvDtype.Int8, 70, 76)]
    [InlineData(KvDtype.Int8, 64, 68)]
    public void A_head_takes_whole_words(KvDtype dtype, int headDim, int bytes)
    {
        var layout = new KvLayout(2, 3, headDim, dtype, 16);
        Assert.Equal((bytes, 16 * bytes, 2 * 16 * 3 * bytes), (layout.HeadBytes, layout.HeadBlockBytes, layout.LayerBlockBytes));
        Assert.Equal($"kv2:l2:h3x{headDim}:{dtype.ToString().ToLowerInvariant()}:b16", layout.Fingerprint);
    }

    private static void AssertNear(float[] expected, float[] actual, KvDtype dtype)
    {
        float error = dtype switch
        {
            KvDtype.F32 => 0,
            KvDtype.BF16 => 1f / 256,
            _ => 0.5001f / 127,
        };
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.InRange(Math.Abs(expected[i] - actual[i]), 0, error);
        }
    }

    private static float[] Numbers(Random random, int count, float size) =>
        [.. Enumerable.Range(0, count).Select(_ => size * ((2 * random.NextSingle()) - 1))];

    private static (float Scale, float[] Read) ThroughIntegers(float[] numbers)
    {
        var layout = new KvLayout(1, 1, numbers.Length, KvDtype.Int8, 3);
        byte[] bytes = new byte[layout.BlockBytes];
        fixed (float* from = numbers)
        fixed (byte* head = bytes)
        {
            HeadBlock.WriteKey(layout, head, 2, from);
            return (HeadBlockReader.Scale(head, 2), HeadBlockReader.Key(layout, head, 2));
        }
    }
}
