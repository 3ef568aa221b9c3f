using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>8 lanes, 16 registers: a tile of 6 rows × 2 vectors takes 12 of them for its sums.</summary>
internal readonly unsafe struct Avx2Simd : ISimd<Vector256<float>>
{
    public static int Lanes => 8;

    public static int TileRows => 6;

    public static int WideRows => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* source) => Avx.LoadVector256(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* destination, Vector256<float> value) => Avx.Store(destination, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Splat(float value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> SplatAt(float* source) => Avx.BroadcastScalarToVector256(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> SplatAgain(Vector256<float> splat, float* source) => splat;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LowHalves(byte* words) =>
        Avx2.ShiftLeftLogical(Avx.LoadVector256((uint*)words), 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> HighHalves(byte* words) =>
        Avx2.And(Avx.LoadVector256((uint*)words), Vector256.Create(0xFFFF0000u)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Widen(ushort* source) =>
        Avx2.ShiftLeftLogical(Avx2.ConvertToVector256Int32(Sse2.LoadVector128(source)), 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> SignedBytes(byte* source) => Avx.ConvertToVector256Single(Avx2.ConvertToVector256Int32((sbyte*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> BytePairs(byte* source) => Avx2.ConvertToVector256Int16((sbyte*)source).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LowNibblePairs(byte* source) =>
        Avx2.And(Avx2.ConvertToVector256Int16(source), Vector256.Create((short)15)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> HighNibblePairs(byte* source) => Avx2.ShiftRightLogical(Avx2.ConvertToVector256Int16(source), 4).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> AddPairProducts(Vector256<float> a, Vector256<float> b, Vector256<float> c) =>
        AvxVnni.IsSupported
            ? AvxVnni.MultiplyWideningAndAdd(c.AsInt32(), a.AsInt16(), b.AsInt16()).AsSingle()
            : Avx2.Add(Avx2.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16()), c.AsInt32()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> PackPairs(Vector256<float> low, Vector256<float> high) =>
        ((Avx.ConvertToVector256Int32(low) & Vector256.Create(0xFFFF)) | (Avx.ConvertToVector256Int32(high) << 16)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> IntegersToSingles(Vector256<float> integers) => Avx.ConvertToVector256Single(integers.AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* address) => Sse.Prefetch0(address);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PrefetchFar(byte* address) => Sse.Prefetch1(address);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => Avx.Add(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Subtract(Vector256<float> a, Vector256<float> b) => Avx.Subtract(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Multiply(Vector256<float> a, Vector256<float> b) => Avx.Multiply(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Divide(Vector256<float> a, Vector256<float> b) => Avx.Divide(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) =>
        Fma.MultiplyAdd(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Min(Vector256<float> a, Vector256<float> b) => Avx.Min(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Max(Vector256<float> a, Vector256<float> b) => Avx.Max(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Round(Vector256<float> value) => Avx.RoundToNearestInteger(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ScaleByPowerOfTwo(Vector256<float> value, Vector256<float> exponent)
    {
        Vector256<int> biased = Avx2.Add(Avx.ConvertToVector256Int32(exponent), Vector256.Create(127));
        return Avx.Multiply(value, Avx2.ShiftLeftLogical(biased, 23).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ZeroBelow(Vector256<float> value, Vector256<float> x, Vector256<float> limit) =>
        Vector256.AndNot(value, Vector256.LessThan(x, limit));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Between(Vector256<float> value, int low, int high, Vector256<float> other)
    {
        Vector256<int> lane = Vector256<int>.Indices;
        Vector256<int> inside = Vector256.GreaterThanOrEqual(lane, Vector256.Create(low)) & Vector256.LessThan(lane, Vector256.Create(high));
        return Vector256.ConditionalSelect(inside.AsSingle(), value, other);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> value) => PortableSimd.Sum(Sse.Add(value.GetLower(), value.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(Vector256<float> value) => PortableSimd.Largest(Sse.Max(value.GetLower(), value.GetUpper()));
}
