using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Kernels;
using Xunit;

namespace LlmCluster.Tests.Unit.Cpu;

public sealed unsafe class GemmTests
{
    // The last number is that of the panels whose steps take turns in memory.
    public static TheoryData<CpuIsa, WeightDtype, int> Paths
    {
        get
        {
            var data = new TheoryData<CpuIsa, WeightDtype, int>();
            foreach (CpuIsa isa in Isas.Available)
            {
                foreach (WeightDtype dtype in Enum.GetValues<WeightDtype>())
                {
                    data.Add(isa, dtype, 1);
                }

                data.Add(isa, WeightDtype.BF16, 2);
            }

            return data;
        }
    }

    public static TheoryData<CpuIsa> Sets => [.. Isas.Available];

    [Theory]
    [MemberData(nameof(Paths))]
    public void Products_of_any_shape_agree_with_sums_in_double_precision(CpuIsa isa, WeightDtype dtype, int group)
    {
        var random = new Random(11);
        for (int round = 0; round < 30; round++)
        {
            int rows = random.Next(1, 60);
            int depth = random.Next(1, 1300);
            int columns = random.Next(1, 200);
            var start = (Start)random.Next(3);
            using var product = new Product(random, isa, dtype, group, depth, columns);
            float[] left = Numbers(random, rows * depth);

            float[] operand = product.IsQuantized ? [.. Groups(left, depth).SelectMany(QuantizedTo16Bits)] : left;

            float[] actual = product.Run(left, rows, start, piece: random.Next(1, 5));

            for (int row = 0; row < rows; row++)
            {
                for (int column = 0; column < columns; column++)
                {
                    (double expected, double magnitude) = product.Expected(operand, row, column, start);
                    double error = Math.Abs(expected - actual[(row * product.Stride) + column]);
                    Assert.True(error <= 1e-5 * magnitude, $"{rows}×{depth}×{columns}: ({row}, {column}) is off by {error}.");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void A_row_has_the_same_bits_whatever_rows_stand_beside_it(CpuIsa isa, WeightDtype dtype, int group)
    {
        var random = new Random(12);
        using var product = new Product(random, isa, dtype, group, depth: 801, columns: 300);
        float[] left = Numbers(random, 50 * 801);
        foreach (Start start in Enum.GetValues<Start>())
        {
            float[] alone = [.. Enumerable.Range(0, 50).SelectMany(row =>
                product.Run(left[(row * 801)..((row + 1) * 801)], 1, start, piece: 100, firstRow: row))];
            for (int rows = 1; rows <= 50; rows++)
            {
                float[] together = product.Run(left, rows, start, piece: random.Next(1, 12));
                Assert.True(
                    together.AsSpan().SequenceEqual(alone.AsSpan(0, together.Length)),
                    $"{rows} rows, {start}: bits differ from those of single rows.");
            }
        }
    }

    // Steps in k are done in blocks, those of many rows in parts of a block, and several at once.
    [Theory]
    [MemberData(nameof(Paths))]
    public void Sums_of_any_length_have_the_same_bits_in_one_row_and_in_many(CpuIsa isa, WeightDtype dtype, int group)
    {
        const int rows = 50;
        var random = new Random(15);
        foreach (int depth in (int[])[1, 2, 3, 23, 24, 25, 49, 1023, 1024, 1025, 2049, 2087])
        {
            using var product = new Product(random, isa, dtype, group, depth, columns: 70);
            float[] left = Numbers(random, rows * depth);
            float[] alone = [.. Enumerable.Range(0, rows).SelectMany(row =>
                product.Run(left[(row * depth)..((row + 1) * depth)], 1, Start.Result, piece: 100, firstRow: row))];

            float[] together = product.Run(left, rows, Start.Result, piece: 2);

            Assert.True(together.AsSpan().SequenceEqual(alone), $"Bits of sums of {depth} products differ.");
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Asking_memory_ahead_for_weights_changes_no_bit(CpuIsa isa, WeightDtype dtype, int group)
    {
        var random = new Random(16);
        using var product = new Product(random, isa, dtype, group, depth: 801, columns: 300);
        float[] left = Numbers(random, 13 * 801);
        for (int rows = 1; rows <= 13; rows++)
        {
            foreach (Start start in Enum.GetValues<Start>())
            {
                int piece = random.Next(1, 12);
                float[] inOrder = product.Run(left, rows, start, piece, askAhead: false);
                Assert.True(product.Run(left, rows, start, piece).AsSpan().SequenceEqual(inOrder), $"{rows} rows, {start}: bits differ.");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void Panels_that_take_turns_in_memory_give_the_same_bits(CpuIsa isa)
    {
        const int depth = 1100;
        var random = new Random(17);
        float[] left = Numbers(random, 50 * depth);
        foreach (int columns in (int[])[20, 64, 170])
        {
            using var alone = new Product(new Random(18), isa, WeightDtype.BF16, group: 1, depth, columns);
            using var pairs = new Product(new Random(18), isa, WeightDtype.BF16, group: 2, depth, columns);
            foreach (int rows in (int[])[1, 3, 6, 7, 11, 12, 37, 50])
            {
                foreach (Start start in Enum.GetValues<Start>())
                {
                    float[] result = pairs.Run(left, rows, start, piece: random.Next(1, 5), askAhead: random.Next(2) == 0);
                    Assert.True(result.AsSpan().SequenceEqual(alone.Run(left, rows, start, piece: 2)), $"{rows}×{depth}×{columns}, {start}: bits differ.");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Columns_that_fill_up_a_panel_are_zero(CpuIsa isa, WeightDtype dtype, int group)
    {
        var random = new Random(13);
        using var product = new Product(random, isa, dtype, group, depth: 20, columns: 33);
        float[] result = product.Run(Numbers(random, 5 * 20), 5, Start.Zero, piece: 1);
        Assert.All(result.Chunk(product.Stride), row => Assert.All(row[33..64], value => Assert.Equal(0f, value)));
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Numbers_that_are_not_finite_do_not_vanish(CpuIsa isa, WeightDtype dtype, int group)
    {
        var random = new Random(14);
        using var product = new Product(random, isa, dtype, group, depth: 70, columns: 40);
        foreach (float bad in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
        {
            float[] left = Numbers(random, 3 * 70);
            left[70 + 67] = bad;
            float[] result = product.Run(left, 3, Start.Zero, piece: 1);
            Assert.All(Enumerable.Range(0, 40), column => Assert.False(float.IsFinite(result[product.Stride + column])));
            Assert.All(Enumerable.Range(0, 40), column => Assert.True(float.IsFinite(result[column]) && float.IsFinite(result[(2 * product.Stride) + column])));
        }
    }

    private static float[] Numbers(Random random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => (float)((random.NextDouble() * 2) - 1))];

    private static IEnumerable<float[]> Groups(float[] numbers, int depth) => numbers.Chunk(depth).SelectMany(column => column.Chunk(32));

    private static IEnumerable<float> QuantizedTo8Bits(float[] group)
    {
        float scale = QuantizedGroup.ScaleOfBytes(group);
        return group.Select(number => Math.Clamp(MathF.Round(number / scale), -127, 127) * scale);
    }

    // The left operand of a product with integers.
    private static IEnumerable<float> QuantizedTo16Bits(float[] group)
    {
        float scale = group.Max(Math.Abs) / 32767;
        return group.Select(number => MathF.Round(number / scale) * scale);
    }

    private static IEnumerable<float> QuantizedTo4Bits(float[] group)
    {
        float scale = QuantizedGroup.ScaleOfNibbles(group);
        return group.Select(number => Math.Clamp(MathF.Round(number / scale), -8, 7) * scale);
    }

    public enum Start
    {
        Zero,
        Bias,
        Result,
    }

    private sealed class Product : IDisposable
    {
        private readonly CpuKernels _kernels;
        private readonly float[] _weights;
        private readonly float[] _bias;
        private readonly int _depth;
        private readonly PackedMatrix _matrix;

        public Product(Random random, CpuIsa isa, WeightDtype dtype, int group, int depth, int columns)
        {
            _kernels = CpuKernels.For(isa);
            _depth = depth;
            float[] numbers = Numbers(random, depth * columns);
            _weights = dtype switch
            {
                WeightDtype.F32 => numbers,
                WeightDtype.BF16 => [.. numbers.Select(v => Bfloat16.ToSingle(Bfloat16.FromSingle(v)))],
                WeightDtype.Q8 => [.. Groups(numbers, depth).SelectMany(QuantizedTo8Bits)],
                _ => [.. Groups(numbers, depth).SelectMany(QuantizedTo4Bits)],
            };
            _matrix = PackedMatrix.Pack(depth, dtype, group, 2, new MatrixPart(columns, (c, to) => numbers.AsSpan(c * depth, depth).CopyTo(to)));
            _bias = new float[_matrix.Width];
            Numbers(random, columns).CopyTo(_bias, 0);
            Stride = _matrix.Width + 32;
        }

        public int Stride { get; }

        public bool IsQuantized => _matrix.IsQuantized;

        public (double Sum, double Magnitude) Expected(float[] left, int row, int column, Start start)
        {
            double sum = start switch { Start.Zero => 0, Start.Bias => _bias[column], _ => Before(row, column) };
            double magnitude = Math.Abs(sum) + 1;
            for (int k = 0; k < _depth; k++)
            {
                double term = (double)left[(row * _depth) + k] * _weights[(column * _depth) + k];
                sum += term;
                magnitude += Math.Abs(term);
            }

            return (sum, magnitude);
        }

        public float[] Run(float[] left, int rows, Start start, int piece, int firstRow = 0, bool askAhead = true)
        {
            var result = new float[rows * Stride];
            for (int row = 0; row < rows; row++)
            {
                for (int column = 0; column < _matrix.Width; column++)
                {
                    result[(row * Stride) + column] = start == Start.Result ? Before(firstRow + row, column) : float.NaN;
                }
            }

            var packed = new float[rows * _matrix.LeftWidth];
            var scratch = new byte[_kernels.GemmScratchBytes];
            fixed (float* from = left, to = packed, c = result, bias = _bias)
            fixed (byte* memory = scratch)
            {
                for (int row = 0; row < rows; row += _kernels.TileRows)
                {
                    int count = Math.Min(_kernels.TileRows, rows - row);
                    _kernels.PackLeft(from + (row * _depth), _depth, count, _matrix, to + (row * _matrix.LeftWidth));
                }

                var call = new GemmCall
                {
                    Left = to,
                    Rows = rows,
                    Weights = _matrix,
                    Result = c,
                    Stride = Stride,
                    Accumulate = start == Start.Result,
                    AskAhead = askAhead,
                    Bias = start == Start.Bias ? bias : null,
                };
                for (int panel = 0; panel < _matrix.Panels; panel += piece)
                {
                    _kernels.Gemm(call, panel, Math.Min(panel + piece, _matrix.Panels), memory);
                }
            }

            return result;
        }

        public void Dispose() => _matrix.Dispose();

        private static float Before(int row, int column) => ((row * 31) + column) % 17 / 4f;
    }
}
