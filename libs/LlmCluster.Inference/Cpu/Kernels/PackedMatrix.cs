namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>Reads one column of a right operand: the weights of one output.</summary>
/// <param name="column">Index of the output.</param>
/// <param name="destination">Receives its weights, one for each input.</param>
internal delegate void ColumnReader(int column, Span<float> destination);

/// <summary>Columns that lie side by side in a <see cref="PackedMatrix"/>, from a panel's start on.</summary>
/// <param name="Columns">How many.</param>
/// <param name="Read">Where they come from.</param>
internal readonly record struct MatrixPart(int Columns, ColumnReader Read);

/// <summary>
/// Weights as <c>[panel][k][32 columns]</c> (see <see cref="Panel"/>), so that a product streams them in order. Several
/// matrices that are multiplied by the same rows stand side by side, each from a panel's start; columns that fill up a
/// panel are zero. Immutable.
/// </summary>
internal sealed unsafe class PackedMatrix : IDisposable
{
    private readonly NativeBuffer _buffer;
    private readonly int[] _offsets;

    private PackedMatrix(int depth, WeightDtype dtype, int[] offsets, int panels)
    {
        Depth = depth;
        Dtype = dtype;
        _offsets = offsets;
        Panels = panels;
        _buffer = new NativeBuffer(panels * PanelBytes);
    }

    /// <summary>Inputs: steps in k.</summary>
    public int Depth { get; }

    public WeightDtype Dtype { get; }

    public int Panels { get; }

    /// <summary>Floats of one row of a product: all columns, filled up to whole panels.</summary>
    public int Width => Panels * Panel.Width;

    public nint PanelBytes => (nint)Depth * Panel.Width * (Dtype == WeightDtype.BF16 ? sizeof(ushort) : sizeof(float));

    public byte* Pointer => _buffer.Pointer;

    public long Bytes => _buffer.Bytes;

    /// <summary>First column of part <paramref name="part"/>.</summary>
    public int Offset(int part) => _offsets[part];

    /// <summary>Packs matrices side by side.</summary>
    /// <param name="depth">Inputs of each.</param>
    /// <param name="dtype">Number format; to BF16 singles are rounded to nearest even.</param>
    /// <param name="threads">Threads to use.</param>
    /// <param name="parts">The matrices.</param>
    public static PackedMatrix Pack(int depth, WeightDtype dtype, int threads, params ReadOnlySpan<MatrixPart> parts)
    {
        var offsets = new int[parts.Length];
        int panels = 0;
        for (int i = 0; i < parts.Length; i++)
        {
            offsets[i] = panels * Panel.Width;
            panels += Panel.Count(parts[i].Columns);
        }

        var matrix = new PackedMatrix(depth, dtype, offsets, panels);
        try
        {
            for (int i = 0; i < parts.Length; i++)
            {
                MatrixPart part = parts[i];
                int firstPanel = offsets[i] / Panel.Width;
                Parallel.For(
                    0,
                    Panel.Count(part.Columns),
                    new ParallelOptions { MaxDegreeOfParallelism = threads },
                    () => new float[Panel.Width * depth],
                    (panel, _, columns) =>
                    {
                        matrix.PackPanel(firstPanel + panel, part, panel * Panel.Width, columns);
                        return columns;
                    },
                    static _ => { });
            }

            return matrix;
        }
        catch
        {
            matrix.Dispose();
            throw;
        }
    }

    public void Dispose() => _buffer.Dispose();

    private void PackPanel(int panel, MatrixPart part, int firstColumn, float[] columns)
    {
        int used = Math.Min(Panel.Width, part.Columns - firstColumn);
        for (int c = 0; c < used; c++)
        {
            part.Read(firstColumn + c, columns.AsSpan(c * Depth, Depth));
        }

        columns.AsSpan(used * Depth).Clear();
        byte* destination = Pointer + (panel * PanelBytes);
        fixed (float* source = columns)
        {
            if (Dtype == WeightDtype.F32)
            {
                TilePacking.Transpose(source, Depth, Panel.Width, Depth, (float*)destination, Panel.Width);
            }
            else
            {
                PackPairs(source, (uint*)destination);
            }
        }
    }

    private void PackPairs(float* columns, uint* destination)
    {
        for (int w = 0; w < Panel.Half; w++)
        {
            float* low = columns + ((nint)w * Depth);
            float* high = columns + ((nint)(w + Panel.Half) * Depth);
            for (int k = 0; k < Depth; k++)
            {
                destination[((nint)k * Panel.Half) + w] = Bfloat16.FromSingle(low[k]) | ((uint)Bfloat16.FromSingle(high[k]) << 16);
            }
        }
    }
}
