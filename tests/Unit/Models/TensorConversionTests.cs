using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using Xunit;

namespace LlmCluster.Tests.Unit.Models;

public sealed class TensorConversionTests
{
    private static readonly ushort[] AllBits = [.. Enumerable.Range(0, 65536).Select(static i => (ushort)i)];

    [Fact]
    public void EveryHalfWidensExactly()
    {
        // One element less, so that the scalar tail is used, too.
        float[] actual = new float[65535];
        TensorConversion.FromF16(AllBits.AsSpan(1), actual);
        for (int i = 0; i < actual.Length; i++)
        {
            float expected = (float)BitConverter.UInt16BitsToHalf(AllBits[i + 1]);
            Assert.True(
                float.IsNaN(expected) ? float.IsNaN(actual[i]) : BitConverter.SingleToInt32Bits(expected) == BitConverter.SingleToInt32Bits(actual[i]),
                $"{AllBits[i + 1]:x4}: {actual[i]}");
        }

        Assert.Equal(MathF.Pow(2, -24), actual[0]);
    }

    [Fact]
    public void EveryBF16WidensToItsUpperHalf()
    {
        float[] actual = new float[65535];
        TensorConversion.FromBF16(AllBits.AsSpan(1), actual);
        for (int i = 0; i < actual.Length; i++)
        {
            Assert.Equal((uint)AllBits[i + 1] << 16, BitConverter.SingleToUInt32Bits(actual[i]));
        }
    }

    [Theory]
    [InlineData(0x3F800000u, 0x3F80)] // 1
    [InlineData(0x3F808000u, 0x3F80)] // a tie goes to the even neighbour, below
    [InlineData(0x3F818000u, 0x3F82)] // or above
    [InlineData(0x3F808001u, 0x3F81)]
    [InlineData(0x3F807FFFu, 0x3F80)]
    [InlineData(0x7F7FFFFFu, 0x7F80)] // the largest single rounds to infinity
    [InlineData(0xFF800000u, 0xFF80)]
    [InlineData(0x00000001u, 0x0000)]
    [InlineData(0x7F800001u, 0x7FC0)] // a NaN must not become infinity
    public void NarrowsToBF16(uint single, int expected)
    {
        ushort[] actual = new ushort[1];
        TensorConversion.ToBF16([BitConverter.UInt32BitsToSingle(single)], actual);
        Assert.Equal((ushort)expected, actual[0]);
    }

    [Theory]
    [InlineData(TensorDtype.F16)]
    [InlineData(TensorDtype.BF16)]
    public void NarrowingUndoesWidening(TensorDtype dtype)
    {
        byte[] bytes = System.Runtime.InteropServices.MemoryMarshal.AsBytes<ushort>(AllBits).ToArray();
        float[] wide = new float[65536];
        byte[] narrow = new byte[bytes.Length];
        TensorConversion.ToSingle(bytes, dtype, wide);
        TensorConversion.FromSingle(wide, dtype, narrow);
        for (int i = 0; i < wide.Length; i++)
        {
            if (!float.IsNaN(wide[i]))
            {
                Assert.Equal(AllBits[i], BitConverter.ToUInt16(narrow, 2 * i));
            }
        }
    }

    [Theory]
    [InlineData(TensorDtype.F32, 0.0)]
    [InlineData(TensorDtype.F16, 1.0 / 2048)]
    [InlineData(TensorDtype.BF16, 1.0 / 256)]
    public void AViewReadsEveryFormat(TensorDtype dtype, double relativeError)
    {
        using var exact = new CheckpointFiles();
        using var files = new CheckpointFiles(options: new RandomCheckpointOptions { Dtype = dtype });
        using Checkpoint expected = exact.Open();
        using Checkpoint actual = files.Open();
        TensorView view = actual.GetTensor("model.embed_tokens.weight", 32, 8);
        Assert.Equal((dtype, 256L, 256L * dtype.ElementBytes(), 32, 8), (view.Dtype, view.ElementCount, view.ByteLength, view.Rows, view.RowLength));
        Assert.Equal([32, 8], view.Shape.ToArray());

        float[] wanted = new float[256];
        float[] all = new float[256];
        expected.GetTensor("model.embed_tokens.weight").CopyTo(wanted);
        view.CopyTo(all);
        Assert.All(wanted.Zip(all), pair => Assert.InRange(pair.Second - pair.First, -relativeError * Math.Abs(pair.First), relativeError * Math.Abs(pair.First)));

        float[] row = new float[8];
        view.ReadRow(31, row);
        Assert.Equal(all[(31 * 8)..], row);
        float[] rows = new float[24];
        view.ReadRows(3, 3, rows);
        Assert.Equal(all[24..48], rows);
    }

    [Fact]
    public void AViewChecksItsArguments()
    {
        using var files = new CheckpointFiles();
        Checkpoint checkpoint = files.Open();
        TensorView view = checkpoint.GetTensor("model.embed_tokens.weight");
        Assert.Throws<ArgumentOutOfRangeException>(() => view.ReadRow(32, new float[8]));
        Assert.Throws<ArgumentOutOfRangeException>(() => view.ReadRow(-1, new float[8]));
        Assert.Throws<ArgumentException>(() => view.ReadRow(0, new float[7]));
        Assert.Throws<InvalidOperationException>(() => view.Bits16.Length);
        checkpoint.Dispose();
        Assert.Throws<ObjectDisposedException>(() => view.Bytes.Length);
        checkpoint.Dispose();
    }

    [Fact]
    public void SixteenBitFormatsShowTheirBits()
    {
        using var files = new CheckpointFiles(options: new RandomCheckpointOptions { Dtype = TensorDtype.BF16 });
        using Checkpoint checkpoint = files.Open();
        TensorView view = checkpoint.GetTensor("model.norm.weight");
        float[] values = new float[8];
        view.CopyTo(values);
        Assert.Equal(values.Select(static v => (ushort)(BitConverter.SingleToUInt32Bits(v) >> 16)), view.Bits16.ToArray());
    }
}
