using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// Number format of a panel of integers, in groups of <see cref="QuantizedGroup.Depth"/> steps in k: a scale for each of the 32 columns, in the order of <see cref="Panel"/>, then pairs of steps. Pair p
/// holds steps p and p + 16 of each column side by side, so that one instruction multiplies both and adds them up.
/// </summary>
internal unsafe interface IQuantizedPanel<V>
    where V : struct
{
    /// <summary>Bytes of a pair of steps.</summary>
    static abstract int PairBytes { get; }

    /// <summary>Whether integers are eight too large; sums then begin with what makes up for it.</summary>
    static abstract bool IsShifted { get; }

    /// <summary>Columns from the one whose bytes <paramref name="source"/> points to, two bytes a column.</summary>
    static abstract V Low(byte* source);

    /// <summary>Columns 16 further on.</summary>
    static abstract V High(byte* source);
}

/// <summary>Signed bytes.</summary>
internal readonly unsafe struct Q8Panel<S, V> : IQuantizedPanel<V>
    where S : struct, ISimd<V>
    where V : struct
{
    public static int PairBytes => 2 * Panel.Width;

    public static bool IsShifted => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Low(byte* source) => S.BytePairs(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V High(byte* source) => S.BytePairs(source + Panel.Width);
}

/// <summary>Halves of bytes, eight more than the integers from -8 to 7: the lower ones are the first 16 columns, the upper ones the next.</summary>
internal readonly unsafe struct Q4Panel<S, V> : IQuantizedPanel<V>
    where S : struct, ISimd<V>
    where V : struct
{
    public static int PairBytes => Panel.Width;

    public static bool IsShifted => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Low(byte* source) => S.LowNibblePairs(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V High(byte* source) => S.HighNibblePairs(source);
}
