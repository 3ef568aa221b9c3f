using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// What a tile asks memory for while it computes, so that what comes next is near by then. It asks part by part, spread over its steps in k: many lines asked for at once
/// would hold up the tile's own reads.
/// </summary>
internal interface ITileAhead
{
    /// <summary>Into how many parts the tile divides its steps.</summary>
    static abstract int Parts { get; }

    /// <summary>Asks for what a part is to ask for.</summary>
    /// <param name="part">From 1 to <see cref="Parts"/>.</param>
    void Ask(int part);
}

/// <summary>Nothing: the steps are one part.</summary>
internal readonly struct NothingAhead : ITileAhead
{
    public static int Parts => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Ask(int part)
    {
    }
}

/// <summary>Sums of the next tile, two lines of each row, and a slice of the weights that come after this panel.</summary>
/// <param name="sums">First element of C of the next tile.</param>
/// <param name="stride">Floats from one row of C to the next.</param>
/// <param name="weights">The slice's first line.</param>
/// <param name="lines">How many lines it has.</param>
/// <param name="lineStep">Bytes from one of them to the next.</param>
internal unsafe struct NextTile<S, V>(float* sums, int stride, byte* weights, nint lines, nint lineStep) : ITileAhead
    where S : struct, ISimd<V>
    where V : struct
{
    private const int LinesOfRow = Panel.Width * sizeof(float) / Panel.Line;

    private readonly nint _stride = (nint)stride * sizeof(float);
    private readonly nint _step = (lines + Parts - 1) / Parts * lineStep;
    private byte* _sums = (byte*)sums;
    private byte* _weights = weights;

    public static int Parts => LinesOfRow * S.TileRows;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Ask(int part)
    {
        if (part % LinesOfRow != 0)
        {
            S.Prefetch(_sums);
        }
        else
        {
            S.Prefetch(_sums + Panel.Line);
            _sums += _stride;
        }

        for (nint line = 0; line < _step; line += lineStep)
        {
            S.Prefetch(_weights + line);
        }

        _weights += _step;
    }
}
