using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// The right operand of a tile: 32 columns, all k of column c and of column c + 16 side by side. Each step in k is
/// 32 floats in order, or 16 words whose word w holds column w in its lower half and column w + 16 in its upper half
/// as bfloat16. So the vectors at columns c and c + 16 come from one address in either format.
/// </summary>
internal static class Panel
{
    public const int Width = 32;

    /// <summary>Columns between the two vectors of a tile.</summary>
    public const int Half = 16;

    /// <summary>How far ahead weights are asked for: further than the processor looks by itself at the end of a page.</summary>
    public const int PrefetchBytes = 1024;

    public static int Count(int columns) => (columns + Width - 1) / Width;

    public static int RoundUp(int columns) => Count(columns) * Width;
}

/// <summary>
/// Number format of a panel: steps in k one after the other, in groups that may begin with a scale for each column.
/// </summary>
internal unsafe interface IPanelFormat<V>
    where V : struct
{
    /// <summary>Bytes of one step in k.</summary>
    static abstract int Stride { get; }

    /// <summary>Bytes from a column to the next within a step.</summary>
    static abstract int ColumnBytes { get; }

    /// <summary>Whether sums of <see cref="QuantizedGroup.Depth"/> steps are multiplied by scales; otherwise all steps are one sum.</summary>
    static abstract bool IsScaled { get; }

    /// <summary>Bytes before each group's steps: its scales, or none where they stand elsewhere.</summary>
    static abstract int ScaleBytes { get; }

    /// <summary>Columns from the one that <paramref name="source"/> points to, without their scales.</summary>
    static abstract V Low(byte* source);

    /// <summary>Columns 16 further on.</summary>
    static abstract V High(byte* source);

    /// <summary>Asks for steps further on, where a panel comes from memory.</summary>
    static abstract void Prefetch(byte* source);
}

/// <summary>32 singles a step.</summary>
internal readonly unsafe struct F32Panel<S, V> : IPanelFormat<V>
    where S : struct, ISimd<V>
    where V : struct
{
    public static int Stride => Panel.Width * sizeof(float);

    public static int ColumnBytes => sizeof(float);

    public static bool IsScaled => false;

    public static int ScaleBytes => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Low(byte* source) => S.Load((float*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V High(byte* source) => S.Load((float*)source + Panel.Half);

    // Most such panels were just made, and are in the cache.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* source)
    {
    }
}

/// <summary>16 pairs of bfloat16 a step, widened on load.</summary>
internal readonly unsafe struct BF16Panel<S, V> : IPanelFormat<V>
    where S : struct, ISimd<V>
    where V : struct
{
    public static int Stride => Panel.Width * sizeof(ushort);

    // A pair's.
    public static int ColumnBytes => sizeof(uint);

    public static bool IsScaled => false;

    public static int ScaleBytes => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Low(byte* source) => S.LowHalves(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V High(byte* source) => S.HighHalves(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* source) => S.Prefetch(source + Panel.PrefetchBytes);
}

/// <summary>32 signed bytes a step; the sum of 32 steps is multiplied by its column's scale.</summary>
internal readonly unsafe struct Q8Panel<S, V> : IPanelFormat<V>
    where S : struct, ISimd<V>
    where V : struct
{
    public static int Stride => Panel.Width;

    public static int ColumnBytes => 1;

    public static bool IsScaled => true;

    public static int ScaleBytes => QuantizedGroup.ScaleBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Low(byte* source) => S.SignedBytes(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V High(byte* source) => S.SignedBytes(source + Panel.Half);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* source) => S.Prefetch(source + Panel.PrefetchBytes);
}

/// <summary>
/// 16 bytes a step, whose lower halves are the first 16 columns and whose upper halves the next: integers from -8 to 7. The
/// sum of 32 steps is multiplied by its column's scale.
/// </summary>
internal readonly unsafe struct Q4Panel<S, V> : IPanelFormat<V>
    where S : struct, ISimd<V>
    where V : struct
{
    public static int Stride => Panel.Half;

    public static int ColumnBytes => 1;

    public static bool IsScaled => true;

    public static int ScaleBytes => QuantizedGroup.ScaleBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Low(byte* source) => S.LowNibbles(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V High(byte* source) => S.HighNibbles(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* source) => S.Prefetch(source + Panel.PrefetchBytes);
}

/// <summary>Integers of a quantised panel that were widened to 32 singles a step; their scales stand elsewhere.</summary>
internal readonly unsafe struct WidenedPanel<S, V> : IPanelFormat<V>
    where S : struct, ISimd<V>
    where V : struct
{
    public static int Stride => Panel.Width * sizeof(float);

    public static int ColumnBytes => sizeof(float);

    public static bool IsScaled => true;

    public static int ScaleBytes => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Low(byte* source) => S.Load((float*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V High(byte* source) => S.Load((float*)source + Panel.Half);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* source)
    {
    }
}
