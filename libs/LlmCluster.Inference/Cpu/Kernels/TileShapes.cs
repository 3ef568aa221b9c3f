using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>A number known when a kernel is compiled, so that its unused branches and registers disappear.</summary>
internal interface IRowCount
{
    static abstract int Value { get; }
}

internal readonly struct Rows1 : IRowCount
{
    public static int Value => 1;
}

internal readonly struct Rows2 : IRowCount
{
    public static int Value => 2;
}

internal readonly struct Rows3 : IRowCount
{
    public static int Value => 3;
}

internal readonly struct Rows4 : IRowCount
{
    public static int Value => 4;
}

internal readonly struct Rows5 : IRowCount
{
    public static int Value => 5;
}

internal readonly struct Rows6 : IRowCount
{
    public static int Value => 6;
}

internal readonly struct Rows7 : IRowCount
{
    public static int Value => 7;
}

internal readonly struct Rows8 : IRowCount
{
    public static int Value => 8;
}

internal readonly struct Rows9 : IRowCount
{
    public static int Value => 9;
}

internal readonly struct Rows10 : IRowCount
{
    public static int Value => 10;
}

internal readonly struct Rows11 : IRowCount
{
    public static int Value => 11;
}

internal readonly struct Rows12 : IRowCount
{
    public static int Value => 12;
}

/// <summary>How the left operand of a tile lies in memory, in floats.</summary>
internal interface ILeftLayout
{
    static abstract int RowStride(int rows);

    static abstract int KStride(int rows);
}

/// <summary><c>[k][rows]</c>, as <see cref="TilePacking"/> writes it.</summary>
internal readonly struct PackedLeft : ILeftLayout
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int RowStride(int rows) => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int KStride(int rows) => rows;
}

/// <summary><c>[rows][32]</c>: the result of another tile.</summary>
internal readonly struct TileLeft : ILeftLayout
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int RowStride(int rows) => Panel.Width;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int KStride(int rows) => 1;
}
