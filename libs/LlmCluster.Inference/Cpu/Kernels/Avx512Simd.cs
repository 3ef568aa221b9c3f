using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>16 lanes, 32 registers: a tile of 12 rows × 2 vectors takes 24 of them for its sums.</summary>
internal readonly unsafe struct Avx512Simd : ISimd<Vector512<float>>
{
    // What the 16 values of half a byte stand for; a permutation looks at the lower four bits of an index alone.
    private static Vector512<float> Nibbles => Vector512.Create(-8f, -7f, -6f, -5f, -4f, -3f, -2f, -1f, 0f, 1f, 2f, 3f, 4f, 5f, 6f, 7f);

    public static int Lanes => 16;

    public static int TileRows => 12;

    public static int WideRows => 3;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* source) => Avx512F.LoadVector512(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* destination, Vector512<float> value) => Avx512F.Store(destination, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Splat(float value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SplatAt(float* source) => Vector512.Create(*source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LowHalves(byte* words) =>
        Avx512F.ShiftLeftLogical(Avx512F.LoadVector512((uint*)words), 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> HighHalves(byte* words) =>
        Avx512F.And(Avx512F.LoadVector512((uint*)words), Vector512.Create(0xFFFF0000u)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Widen(ushort* source) =>
        Avx512F.ShiftLeftLogical(Avx512F.ConvertToVector512UInt32(Avx.LoadVector256(source)), 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SignedBytes(byte* source) =>
        Avx512F.ConvertToVector512Single(Avx512F.ConvertToVector512Int32(Sse2.LoadVector128((sbyte*)source)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LowNibbles(byte* source) =>
        Avx512F.PermuteVar16x32(Nibbles, Avx512F.ConvertToVector512Int32(Sse2.LoadVector128(source)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> HighNibbles(byte* source) =>
        Avx512F.PermuteVar16x32(Nibbles, Avx512F.ShiftRightLogical(Avx512F.ConvertToVector512Int32(Sse2.LoadVector128(source)), 4));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void TransposeWords(uint** rows, int first, uint* destination, int stride)
    {
        // First within the 4 × 4 squares of 128-bit lanes, then the lanes themselves.
        Vector512<float> r0 = Load((float*)(rows[0] + first));
        Vector512<float> r1 = Load((float*)(rows[1] + first));
        Vector512<float> r2 = Load((float*)(rows[2] + first));
        Vector512<float> r3 = Load((float*)(rows[3] + first));
        Vector512<float> r4 = Load((float*)(rows[4] + first));
        Vector512<float> r5 = Load((float*)(rows[5] + first));
        Vector512<float> r6 = Load((float*)(rows[6] + first));
        Vector512<float> r7 = Load((float*)(rows[7] + first));
        Vector512<float> r8 = Load((float*)(rows[8] + first));
        Vector512<float> r9 = Load((float*)(rows[9] + first));
        Vector512<float> r10 = Load((float*)(rows[10] + first));
        Vector512<float> r11 = Load((float*)(rows[11] + first));
        Vector512<float> r12 = Load((float*)(rows[12] + first));
        Vector512<float> r13 = Load((float*)(rows[13] + first));
        Vector512<float> r14 = Load((float*)(rows[14] + first));
        Vector512<float> r15 = Load((float*)(rows[15] + first));
        Vector512<double> t0 = Avx512F.UnpackLow(r0, r1).AsDouble();
        Vector512<double> t1 = Avx512F.UnpackHigh(r0, r1).AsDouble();
        Vector512<double> t2 = Avx512F.UnpackLow(r2, r3).AsDouble();
        Vector512<double> t3 = Avx512F.UnpackHigh(r2, r3).AsDouble();
        Vector512<double> t4 = Avx512F.UnpackLow(r4, r5).AsDouble();
        Vector512<double> t5 = Avx512F.UnpackHigh(r4, r5).AsDouble();
        Vector512<double> t6 = Avx512F.UnpackLow(r6, r7).AsDouble();
        Vector512<double> t7 = Avx512F.UnpackHigh(r6, r7).AsDouble();
        Vector512<double> t8 = Avx512F.UnpackLow(r8, r9).AsDouble();
        Vector512<double> t9 = Avx512F.UnpackHigh(r8, r9).AsDouble();
        Vector512<double> t10 = Avx512F.UnpackLow(r10, r11).AsDouble();
        Vector512<double> t11 = Avx512F.UnpackHigh(r10, r11).AsDouble();
        Vector512<double> t12 = Avx512F.UnpackLow(r12, r13).AsDouble();
        Vector512<double> t13 = Avx512F.UnpackHigh(r12, r13).AsDouble();
        Vector512<double> t14 = Avx512F.UnpackLow(r14, r15).AsDouble();
        Vector512<double> t15 = Avx512F.UnpackHigh(r14, r15).AsDouble();
        r0 = Avx512F.UnpackLow(t0, t2).AsSingle();
        r1 = Avx512F.UnpackHigh(t0, t2).AsSingle();
        r2 = Avx512F.UnpackLow(t1, t3).AsSingle();
        r3 = Avx512F.UnpackHigh(t1, t3).AsSingle();
        r4 = Avx512F.UnpackLow(t4, t6).AsSingle();
        r5 = Avx512F.UnpackHigh(t4, t6).AsSingle();
        r6 = Avx512F.UnpackLow(t5, t7).AsSingle();
        r7 = Avx512F.UnpackHigh(t5, t7).AsSingle();
        r8 = Avx512F.UnpackLow(t8, t10).AsSingle();
        r9 = Avx512F.UnpackHigh(t8, t10).AsSingle();
        r10 = Avx512F.UnpackLow(t9, t11).AsSingle();
        r11 = Avx512F.UnpackHigh(t9, t11).AsSingle();
        r12 = Avx512F.UnpackLow(t12, t14).AsSingle();
        r13 = Avx512F.UnpackHigh(t12, t14).AsSingle();
        r14 = Avx512F.UnpackLow(t13, t15).AsSingle();
        r15 = Avx512F.UnpackHigh(t13, t15).AsSingle();
        StoreColumns(r0, r4, r8, r12, (float*)destination + (0 * stride), 4 * stride);
        StoreColumns(r1, r5, r9, r13, (float*)destination + (1 * stride), 4 * stride);
        StoreColumns(r2, r6, r10, r14, (float*)destination + (2 * stride), 4 * stride);
        StoreColumns(r3, r7, r11, r15, (float*)destination + (3 * stride), 4 * stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* address) => Sse.Prefetch0(address);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => Avx512F.Add(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Subtract(Vector512<float> a, Vector512<float> b) => Avx512F.Subtract(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Multiply(Vector512<float> a, Vector512<float> b) => Avx512F.Multiply(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Divide(Vector512<float> a, Vector512<float> b) => Avx512F.Divide(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) =>
        Avx512F.FusedMultiplyAdd(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Min(Vector512<float> a, Vector512<float> b) => Avx512F.Min(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Max(Vector512<float> a, Vector512<float> b) => Avx512F.Max(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Round(Vector512<float> value) => Avx512F.RoundScale(value, 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ScaleByPowerOfTwo(Vector512<float> value, Vector512<float> exponent) =>
        Avx512F.Scale(value, exponent);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ZeroBelow(Vector512<float> value, Vector512<float> x, Vector512<float> limit) =>
        Vector512.AndNot(value, Vector512.LessThan(x, limit));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Between(Vector512<float> value, int low, int high, Vector512<float> other)
    {
        Vector512<int> lane = Vector512<int>.Indices;
        Vector512<int> inside = Vector512.GreaterThanOrEqual(lane, Vector512.Create(low)) & Vector512.LessThan(lane, Vector512.Create(high));
        return Vector512.ConditionalSelect(inside.AsSingle(), value, other);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> value) => Avx2Simd.Sum(Avx.Add(value.GetLower(), value.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(Vector512<float> value) => Avx2Simd.Largest(Avx.Max(value.GetLower(), value.GetUpper()));

    // Lane i of the four vectors, side by side, is column i of the result.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreColumns(
        Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* destination, nint stride)
    {
        Vector512<float> ab02 = Avx512F.Shuffle4x128(a, b, 0b10_00_10_00);
        Vector512<float> ab13 = Avx512F.Shuffle4x128(a, b, 0b11_01_11_01);
        Vector512<float> cd02 = Avx512F.Shuffle4x128(c, d, 0b10_00_10_00);
        Vector512<float> cd13 = Avx512F.Shuffle4x128(c, d, 0b11_01_11_01);
        Store(destination, Avx512F.Shuffle4x128(ab02, cd02, 0b10_00_10_00));
        Store(destination + stride, Avx512F.Shuffle4x128(ab13, cd13, 0b10_00_10_00));
        Store(destination + (2 * stride), Avx512F.Shuffle4x128(ab02, cd02, 0b11_01_11_01));
        Store(destination + (3 * stride), Avx512F.Shuffle4x128(ab13, cd13, 0b11_01_11_01));
    }
}
