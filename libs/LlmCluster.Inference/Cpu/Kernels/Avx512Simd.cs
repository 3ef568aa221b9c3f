using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>16 lanes, 32 registers: a tile of 12 rows × 2 vectors takes 24 of them for its sums.</summary>
internal readonly unsafe struct Avx512Simd : ISimd<Vector512<float>>
{
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
    public static Vector512<float> SplatAgain(Vector512<float> splat, float* source) => Vector512.Create(*source);

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
    public static Vector512<float> BytePairs(byte* source) => Shorts(source).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LowNibblePairs(byte* source) => (BytesAsShorts(source) & Vector512.Create((short)15)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> HighNibblePairs(byte* source) => Avx512BW.ShiftRightLogical(BytesAsShorts(source), 4).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> AddPairProducts(Vector512<float> a, Vector512<float> b, Vector512<float> c) =>
        Avx512F.Add(Avx512BW.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16()), c.AsInt32()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> PackPairs(Vector512<float> low, Vector512<float> high) =>
        ((Avx512F.ConvertToVector512Int32(low) & Vector512.Create(0xFFFF)) | (Avx512F.ConvertToVector512Int32(high) << 16)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> IntegersToSingles(Vector512<float> integers) => Avx512F.ConvertToVector512Single(integers.AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* address) => Sse.Prefetch0(address);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PrefetchFar(byte* address) => Sse.Prefetch1(address);

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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<short> Shorts(byte* source) => Avx512BW.ConvertToVector512Int16(Avx.LoadVector256((sbyte*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<short> BytesAsShorts(byte* source) => Avx512BW.ConvertToVector512Int16(Avx.LoadVector256(source));
}
