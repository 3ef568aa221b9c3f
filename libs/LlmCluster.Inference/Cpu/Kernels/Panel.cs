using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// The right operand of a tile: 32 columns, all k of column c and of column c + 16 side by side. Each step in k is
/// 32 floats in order, or 16 words whose word w holds column w in its lower half and column w + 16 in its upper half
/// as bfloat16. So the vectors at columns c and c + 16 come from one address in either format. Steps of panels of one group take turns in memory.
/// </summary>
internal static class Panel
{
    public const int Width = 32;

    /// <summary>Columns between the two vectors of a tile.</summary>
    public const int Half = 16;

    /// <summary>Bytes of a cache line.</summary>
    public const int Line = 64;

    /// <summary>How far ahead weights are asked for: further than some processors look by themselves at the end of a page.</summary>
    public const int PrefetchBytes = 1024;

    /// <summary>Where a panel begins, in bytes from the start of the first.</summary>
    /// <param name="panel">Its index.</param>
    /// <param name="bytes">Bytes of a panel.</param>
    /// <param name="group">Panels of a group.</param>
    public static nint Offset(int panel, nint bytes, int group) => (panel / group * group * bytes) + (panel % group * Line);

    public static int Count(int columns) => (columns + Width - 1) / Width;

    public static int RoundUp(int columns) => Count(columns) * Width;
}

/// <summary>Number format of a panel whose steps in k stand at equal distances.</summary>
internal unsafe interface IPanelFormat<V>
    where V : struct
{
    /// <summary>Bytes from one step in k to the next.</summary>
    static abstract int Stride { get; }

    /// <summary>Panels whose steps take turns.</summary>
    static abstract int Group { get; }

    /// <summary>Bytes from a column to the next within a step.</summary>
    static abstract int ColumnBytes { get; }

    /// <summary>Columns from the one that <paramref name="source"/> points to.</summary>
    static abstract V Low(byte* source);

    /// <summary>Columns 16 further on.</summary>
    static abstract V High(byte* source);

    /// <summary>Asks for a step further on.</summary>
    static abstract void Prefetch(byte* source);
}

/// <summary>32 singles a step.</summary>
internal readonly unsafe struct F32Panel<S, V> : IPanelFormat<V>
    where S : struct, ISimd<V>
    where V : struct
{
    public static int Stride => Panel.Width * sizeof(float);

    public static int Group => 1;

    public static int ColumnBytes => sizeof(float);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Low(byte* source) => S.Load((float*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V High(byte* source) => S.Load((float*)source + Panel.Half);

    // Of its two lines, too.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* source)
    {
        S.Prefetch(source + Panel.PrefetchBytes);
        S.Prefetch(source + Panel.PrefetchBytes + (Panel.Half * sizeof(float)));
    }
}

/// <summary>16 pairs of bfloat16 a step, widened on load.</summary>
internal readonly unsafe struct BF16Panel<S, V> : IPanelFormat<V>
    where S : struct, ISimd<V>
    where V : struct
{
    public static int Stride => Panel.Width * sizeof(ushort);

    public static int Group => 1;

    // A pair's.
    public static int ColumnBytes => sizeof(uint);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Low(byte* source) => S.LowHalves(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V High(byte* source) => S.HighHalves(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* source) => S.Prefetch(source + Panel.PrefetchBytes);
}

/// <summary>
/// <see cref="BF16Panel{S, V}"/> of two panels that take turns: few rows then go by half as often while weights come from memory, still in one stream. Each line of the rows
/// that is no longer in the first-level cache by then breaks into that stream.
/// </summary>
internal readonly unsafe struct BF16Pair<S, V> : IPanelFormat<V>
    where S : struct, ISimd<V>
    where V : struct
{
    public static int Stride => Group * BF16Panel<S, V>.Stride;

    public static int Group => 2;

    public static int ColumnBytes => BF16Panel<S, V>.ColumnBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Low(byte* source) => BF16Panel<S, V>.Low(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V High(byte* source) => BF16Panel<S, V>.High(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* source) => S.Prefetch(source + (Group * Panel.PrefetchBytes));
}

/// <summary>A panel that nobody asks for ahead: it is in the cache, or the processor does so by itself.</summary>
internal readonly unsafe struct InOrder<F, V> : IPanelFormat<V>
    where F : struct, IPanelFormat<V>
    where V : struct
{
    public static int Stride => F.Stride;

    public static int Group => F.Group;

    public static int ColumnBytes => F.ColumnBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Low(byte* source) => F.Low(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V High(byte* source) => F.High(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* source)
    {
    }
}
