using System.Runtime.ExceptionServices;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>Reads one column of a right operand: the weights of one output.</summary>
/// <param name="column">Index of the output.</param>
/// <param name="destination">Receives its weights, one for each input.</param>
internal delegate void ColumnReader(int column, Span<float> destination);

/// <summary>Reads one column that is quantised already.</summary>
/// <param name="column">Index of the output.</param>
/// <param name="integers">Receives an integer for each input.</param>
/// <param name="scales">Receives a scale for each group of inputs.</param>
internal delegate void QuantizedColumnReader(int column, Span<sbyte> integers, Span<float> scales);

/// <summary>Columns that lie side by side in a <see cref="PackedMatrix"/>, from a panel's start on.</summary>
/// <param name="Columns">How many.</param>
/// <param name="Read">Where they come from; none if they are quantised already.</param>
/// <param name="ReadQuantized">Where integers come from, of the number format that is packed; none if they are rounded now.</param>
internal readonly record struct MatrixPart(int Columns, ColumnReader? Read, QuantizedColumnReader? ReadQuantized = null);

/// <summary>
/// Weights as <c>[group of panels][k][panel][32 columns]</c> (see <see cref="Panel"/>), so that a product streams them in order. Several
/// matrices that are multiplied by the same rows stand side by side, each from a panel's start; columns that fill up a
/// panel, and panels that fill up a group, are zero. Immutable.
/// </summary>
internal sealed unsafe class PackedMatrix : IDisposable
{
    private readonly NativeBuffer _buffer;
    private readonly int[] _offsets;

    private PackedMatrix(int depth, WeightDtype dtype, int group, int[] offsets, int panels)
    {
        Depth = depth;
        Dtype = dtype;
        Group = group;
        _offsets = offsets;
        Panels = panels;
        _buffer = new NativeBuffer((panels + group - 1) / group * group * PanelBytes);
    }

    /// <summary>Inputs: steps in k.</summary>
    public int Depth { get; }

    public WeightDtype Dtype { get; }

    /// <summary>Panels whose steps take turns.</summary>
    public int Group { get; }

    public int Panels { get; }

    /// <summary>Floats of one row of a product: all columns, filled up to whole panels.</summary>
    public int Width => Panels * Panel.Width;

    public nint PanelBytes => Dtype switch
    {
        WeightDtype.F32 => (nint)Depth * Panel.Width * sizeof(float),
        WeightDtype.BF16 => (nint)Depth * Panel.Width * sizeof(ushort),
        WeightDtype.Q8 => (nint)QuantizedGroup.Count(Depth) * QuantizedGroup.Bytes(Panel.Width),
        WeightDtype.Q4 => (nint)QuantizedGroup.Count(Depth) * QuantizedGroup.Bytes(Panel.Half),
        _ => throw new InvalidOperationException($"There is no panel of {Dtype}."),
    };

    /// <summary>Whether weights are integers with scales.</summary>
    public bool IsQuantized => Dtype is WeightDtype.Q8 or WeightDtype.Q4;

    /// <summary>Floats of one row of the left operand.</summary>
    public int LeftWidth => IsQuantized ? QuantizedGroup.Count(Depth) * QuantizedGroup.LeftWords : Depth;

    public byte* Pointer => _buffer.Pointer;

    /// <summary>Bytes of all panels.</summary>
    public long Bytes => Panels * PanelBytes;

    /// <summary>First step of panel <paramref name="panel"/>.</summary>
    public byte* PanelAt(int panel) => Pointer + Panel.Offset(panel, PanelBytes, Group);

    /// <summary>First column of part <paramref name="part"/>.</summary>
    public int Offset(int part) => _offsets[part];

    /// <summary>Packs matrices side by side.</summary>
    /// <param name="depth">Inputs of each.</param>
    /// <param name="dtype">Number format; singles are rounded to it.</param>
    /// <param name="group">Panels whose steps take turns; see <see cref="CpuKernels.PanelGroup"/>.</param>
    /// <param name="threads">Threads to use.</param>
    /// <param name="parts">The matrices.</param>
    /// <exception cref="Models.CheckpointException">A part's integers are out of range.</exception>
    public static PackedMatrix Pack(int depth, WeightDtype dtype, int group, int threads, params ReadOnlySpan<MatrixPart> parts)
    {
        var offsets = new int[parts.Length];
        int panels = 0;
        for (int i = 0; i < parts.Length; i++)
        {
            offsets[i] = panels * Panel.Width;
            panels += Panel.Count(parts[i].Columns);
        }

        var matrix = new PackedMatrix(depth, dtype, group, offsets, panels);
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
                    () => PanelPacker.Create(dtype, depth, group),
                    (panel, _, packer) =>
                    {
                        packer.Pack(part, panel * Panel.Width, matrix.PanelAt(firstPanel + panel));
                        return packer;
                    },
                    static _ => { });
            }

            return matrix;
        }
        catch (Exception e)
        {
            matrix.Dispose();
            if (e is AggregateException { InnerException: { } inner })
            {
                ExceptionDispatchInfo.Throw(inner);
            }

            throw;
        }
    }

    public void Dispose() => _buffer.Dispose();
}
