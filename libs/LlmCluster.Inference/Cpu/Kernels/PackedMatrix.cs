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

    public long Bytes => _buffer.Bytes;

    /// <summary>First column of part <paramref name="part"/>.</summary>
    public int Offset(int part) => _offsets[part];

    /// <summary>Packs matrices side by side.</summary>
    /// <param name="depth">Inputs of each.</param>
    /// <param name="dtype">Number format; singles are rounded to it.</param>
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
            switch (Dtype)
            {
                case WeightDtype.F32:
                    TilePacking.Transpose(source, Depth, Panel.Width, Depth, (float*)destination, Panel.Width);
                    break;
                case WeightDtype.BF16:
                    PackPairs(source, (uint*)destination);
                    break;
                case WeightDtype.Q8:
                    PackBytes(source, destination);
                    break;
                default:
                    PackNibbles(source, destination);
                    break;
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

    private void PackBytes(float* columns, byte* destination)
    {
        for (int k = 0; k < Depth; k += QuantizedGroup.Depth)
        {
            var scales = (float*)destination;
            byte* bytes = destination + QuantizedGroup.ScaleBytes;
            for (int c = 0; c < Panel.Width; c++)
            {
                ReadOnlySpan<float> numbers = Group(columns, c, k);
                scales[c] = QuantizedGroup.ScaleOfBytes(numbers);
                for (int i = 0; i < numbers.Length; i++)
                {
                    bytes[PairByte(i, 2 * c, 2 * Panel.Width)] = (byte)QuantizedGroup.ToByte(numbers[i], scales[c]);
                }
            }

            destination += QuantizedGroup.Bytes(Panel.Width);
        }
    }

    private void PackNibbles(float* columns, byte* destination)
    {
        for (int k = 0; k < Depth; k += QuantizedGroup.Depth)
        {
            var scales = (float*)destination;
            byte* bytes = destination + QuantizedGroup.ScaleBytes;
            for (int c = 0; c < Panel.Width; c++)
            {
                ReadOnlySpan<float> numbers = Group(columns, c, k);
                scales[c] = QuantizedGroup.ScaleOfNibbles(numbers);
                int shift = c < Panel.Half ? 0 : 4;
                for (int i = 0; i < numbers.Length; i++)
                {
                    bytes[PairByte(i, 2 * (c % Panel.Half), Panel.Width)] |= (byte)((QuantizedGroup.ToNibble(numbers[i], scales[c]) + QuantizedGroup.Shift) << shift);
                }
            }

            destination += QuantizedGroup.Bytes(Panel.Half);
        }
    }

    // Of two bytes, step i of a group is the first if it is in the group's first half.
    private static int PairByte(int step, int column, int pairBytes) =>
        (step % QuantizedGroup.Pairs * pairBytes) + column + (step / QuantizedGroup.Pairs);

    private ReadOnlySpan<float> Group(float* columns, int column, int k) =>
        new(columns + ((nint)column * Depth) + k, Math.Min(QuantizedGroup.Depth, Depth - k));
}
