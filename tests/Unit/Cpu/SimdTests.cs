using System.Runtime.Intrinsics;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Kernels;
using Xunit;

namespace LlmCluster.Tests.Unit.Cpu;

/// <summary>The operations that the kernels are built of, on every instruction set that is there.</summary>
public sealed class SimdTests
{
    public static TheoryData<CpuIsa> Paths => [.. Isas.Available];

    [Theory]
    [MemberData(nameof(Paths))]
    public void Each_operation_does_what_its_name_says(CpuIsa isa)
    {
        switch (isa)
        {
            case CpuIsa.Avx512:
                Check<Avx512Simd, Vector512<float>>();
                break;
            case CpuIsa.Avx2:
                Check<Avx2Simd, Vector256<float>>();
                break;
            default:
                Check<PortableSimd, Vector128<float>>();
                break;
        }
    }

    private static void Check<S, V>()
        where S : struct, ISimd<V>
        where V : struct
    {
        ExpIsAccurate<S, V>();
        LanesAreMaskedAndReduced<S, V>();
        WordsAreSplitAndWidened<S, V>();
        ProductsOfPairsAreExact<S, V>();
    }

    private static unsafe void ProductsOfPairsAreExact<S, V>()
        where S : struct, ISimd<V>
        where V : struct
    {
        var random = new Random(6);
        short[] extremes = [short.MaxValue, -short.MaxValue, 0, 1, -1];
        short* a = stackalloc short[2 * S.Lanes];
        short* b = stackalloc short[2 * S.Lanes];
        int* c = stackalloc int[S.Lanes];
        int* result = stackalloc int[S.Lanes];
        for (int round = 0; round < 200; round++)
        {
            for (int i = 0; i < 2 * S.Lanes; i++)
            {
                a[i] = round < 100 ? extremes[random.Next(extremes.Length)] : (short)random.Next(-short.MaxValue, short.MaxValue + 1);
                b[i] = round < 50 ? extremes[random.Next(extremes.Length)] : (short)random.Next(-127, 128);
            }

            for (int i = 0; i < S.Lanes; i++)
            {
                c[i] = random.Next(int.MinValue, int.MaxValue);
            }

            S.Store((float*)result, S.AddPairProducts(S.Load((float*)a), S.Load((float*)b), S.Load((float*)c)));
            for (int i = 0; i < S.Lanes; i++)
            {
                Assert.Equal(unchecked((a[2 * i] * b[2 * i]) + (a[(2 * i) + 1] * b[(2 * i) + 1]) + c[i]), result[i]);
            }
        }
    }

    private static unsafe void ExpIsAccurate<S, V>()
        where S : struct, ISimd<V>
        where V : struct
    {
        float* values = stackalloc float[S.Lanes];
        for (double x = -86.9; x < 88; x += 0.0137)
        {
            S.Store(values, VectorMath<S, V>.Exp(S.Splat((float)x)));
            double expected = Math.Exp((float)x);
            Assert.True(Math.Abs(values[S.Lanes - 1] - expected) <= 3e-7 * expected, $"e^{(float)x} is {values[0]}.");
        }

        S.Store(values, VectorMath<S, V>.Exp(S.Splat(0f)));
        Assert.Equal(1f, values[0]);
        S.Store(values, VectorMath<S, V>.ExpOrZero(S.Splat(float.NegativeInfinity)));
        Assert.Equal(0u, BitConverter.SingleToUInt32Bits(values[0]));
        S.Store(values, VectorMath<S, V>.ExpOrZero(S.Splat(-100f)));
        Assert.Equal(0f, values[0]);
        foreach (float x in (float[])[-1000, -20, -1, 0, 0.5f, 3, 80, 1000])
        {
            S.Store(values, VectorMath<S, V>.Silu(S.Splat(x)));
            double expected = x / (1 + Math.Exp(-x));
            Assert.True(Math.Abs(values[0] - expected) <= 1e-6 * Math.Abs(expected) + 1e-30, $"silu({x}) is {values[0]}.");
        }
    }

    private static unsafe void LanesAreMaskedAndReduced<S, V>()
        where S : struct, ISimd<V>
        where V : struct
    {
        var random = new Random(5);
        float* values = stackalloc float[S.Lanes];
        float* result = stackalloc float[S.Lanes];
        for (int round = 0; round < 100; round++)
        {
            double sum = 0;
            float largest = float.NegativeInfinity;
            for (int i = 0; i < S.Lanes; i++)
            {
                values[i] = (float)((random.NextDouble() * 4) - 3);
                sum += values[i];
                largest = Math.Max(largest, values[i]);
            }

            Assert.Equal(sum, S.Sum(S.Load(values)), 1e-5);
            Assert.Equal(largest, S.Largest(S.Load(values)));
            int low = random.Next(-3, S.Lanes + 3);
            int high = random.Next(-3, S.Lanes + 3);
            S.Store(result, S.Between(S.Load(values), low, high, S.Splat(9f)));
            for (int i = 0; i < S.Lanes; i++)
            {
                Assert.Equal(i >= low && i < high ? values[i] : 9f, result[i]);
            }
        }
    }

    private static unsafe void WordsAreSplitAndWidened<S, V>()
        where S : struct, ISimd<V>
        where V : struct
    {
        uint[] words = [.. Enumerable.Range(0, S.Lanes).Select(i => ((uint)i * 2654435761u) & 0x3FFF3FFFu)];
        float* result = stackalloc float[S.Lanes];
        fixed (uint* source = words)
        {
            S.Store(result, S.LowHalves((byte*)source));
            Assert.Equal(Bfloat16.ToSingle((ushort)words[S.Lanes - 1]), result[S.Lanes - 1]);
            S.Store(result, S.HighHalves((byte*)source));
            Assert.Equal(Bfloat16.ToSingle((ushort)(words[S.Lanes - 1] >> 16)), result[S.Lanes - 1]);
            S.Store(result, S.Widen((ushort*)source));
            Assert.Equal(Bfloat16.ToSingle((ushort)(words[(S.Lanes / 2) - 1] >> 16)), result[S.Lanes - 1]);
        }
    }
}
