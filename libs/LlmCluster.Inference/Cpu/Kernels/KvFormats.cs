using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>Number format of an element in the cache, without its scale.</summary>
internal unsafe interface IKvFormat<V>
    where V : struct
{
    /// <summary>Bytes of an element.</summary>
    static abstract int Bytes { get; }

    static abstract float One(byte* source);

    /// <summary>Consecutive elements.</summary>
    static abstract V Vector(byte* source);
}

internal readonly unsafe struct F32Kv<S, V> : IKvFormat<V>
    where S : struct, ISimd<V>
    where V : struct
{
    public static int Bytes => sizeof(float);

    public static float One(byte* source) => *(float*)source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Vector(byte* source) => S.Load((float*)source);
}

internal readonly unsafe struct BF16Kv<S, V> : IKvFormat<V>
    where S : struct, ISimd<V>
    where V : struct
{
    public static int Bytes => sizeof(ushort);

    public static float One(byte* source) => Bfloat16.ToSingle(*(ushort*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Vector(byte* source) => S.Widen((ushort*)source);
}

internal readonly unsafe struct Int8Kv<S, V> : IKvFormat<V>
    where S : struct, ISimd<V>
    where V : struct
{
    public static int Bytes => sizeof(sbyte);

    public static float One(byte* source) => *(sbyte*)source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Vector(byte* source) => S.SignedBytes(source);
}
