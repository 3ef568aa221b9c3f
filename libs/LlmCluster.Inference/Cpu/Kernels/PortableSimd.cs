using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>4 lanes of whatever the processor has. Multiplies and adds separately: the same bits everywhere.</summary>
internal readonly unsafe struct PortableSimd : ISimd<Vector128<float>>
{
    // Adding and taking away 1.5·2²³ leaves no room for a fraction.
    private const float RoundingConstant = 12582912f;

    public static int Lanes => 4;

    public static int TileRows => 6;

    public static int WideRows => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load(float* source) => Vector128.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* destination, Vector128<float> value) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Splat(float value) => Vector128.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SplatAt(float* source) => Vector128.Create(*source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SplatAgain(Vector128<float> splat, float* source) => splat;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LowHalves(byte* words) => (Vector128.Load((uint*)words) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> HighHalves(byte* words) =>
        (Vector128.Load((uint*)words) & Vector128.Create(0xFFFF0000u)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Widen(ushort* source) => (Vector128.WidenLower(Vector128.CreateScalar(*(ulong*)source).AsUInt16()) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SignedBytes(byte* source) =>
        Vector128.ConvertToSingle(Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalar(*(int*)source).AsSByte())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> BytePairs(byte* source) =>
        Vector128.WidenLower(Vector128.CreateScalar(*(long*)source).AsSByte()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LowNibblePairs(byte* source) => (Shorts(source) & Vector128.Create((ushort)15)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> HighNibblePairs(byte* source) => (Shorts(source) >> 4).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> AddPairProducts(Vector128<float> a, Vector128<float> b, Vector128<float> c)
    {
        // The two halves of each word: its upper one is moved down with its sign.
        Vector128<int> low = ((a.AsInt32() << 16) >> 16) * ((b.AsInt32() << 16) >> 16);
        Vector128<int> high = (a.AsInt32() >> 16) * (b.AsInt32() >> 16);
        return (low + high + c.AsInt32()).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> PackPairs(Vector128<float> low, Vector128<float> high) =>
        ((Vector128.ConvertToInt32(low) & Vector128.Create(0xFFFF)) | (Vector128.ConvertToInt32(high) << 16)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> IntegersToSingles(Vector128<float> integers) => Vector128.ConvertToSingle(integers.AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* address)
    {
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PrefetchFar(byte* address)
    {
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Add(Vector128<float> a, Vector128<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Subtract(Vector128<float> a, Vector128<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Multiply(Vector128<float> a, Vector128<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Divide(Vector128<float> a, Vector128<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> MultiplyAdd(Vector128<float> a, Vector128<float> b, Vector128<float> c) => (a * b) + c;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Min(Vector128<float> a, Vector128<float> b) => Vector128.MinNative(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Max(Vector128<float> a, Vector128<float> b) => Vector128.MaxNative(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Round(Vector128<float> value) =>
        value + Vector128.Create(RoundingConstant) - Vector128.Create(RoundingConstant);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ScaleByPowerOfTwo(Vector128<float> value, Vector128<float> exponent) =>
        value * ((Vector128.ConvertToInt32(exponent) + Vector128.Create(127)) << 23).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ZeroBelow(Vector128<float> value, Vector128<float> x, Vector128<float> limit) =>
        Vector128.AndNot(value, Vector128.LessThan(x, limit));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Between(Vector128<float> value, int low, int high, Vector128<float> other)
    {
        Vector128<int> lane = Vector128<int>.Indices;
        Vector128<int> inside = Vector128.GreaterThanOrEqual(lane, Vector128.Create(low)) & Vector128.LessThan(lane, Vector128.Create(high));
        return Vector128.ConditionalSelect(inside.AsSingle(), value, other);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector128<float> value)
    {
        Vector128<float> pairs = value + Vector128.Shuffle(value, Vector128.Create(2, 3, 0, 1));
        return pairs.ToScalar() + pairs.GetElement(1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(Vector128<float> value)
    {
        Vector128<float> pairs = Vector128.MaxNative(value, Vector128.Shuffle(value, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MaxNative(pairs, Vector128.Shuffle(pairs, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ushort> Shorts(byte* source) => Vector128.WidenLower(Vector128.CreateScalar(*(ulong*)source).AsByte());
}
