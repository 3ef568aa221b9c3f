namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// Makes panels of <see cref="QuantizedGroup"/>s, from integers that a checkpoint holds or from numbers that are rounded now. Either way
/// a panel has the same bits, because the same rounding makes both.
/// </summary>
internal sealed unsafe class IntegerPanelPacker(WeightDtype dtype, int depth) : PanelPacker
{
    private readonly int _groups = QuantizedGroup.Count(depth);
    private readonly sbyte[] _integers = new sbyte[Panel.Width * depth];
    private readonly float[] _scales = new float[Panel.Width * QuantizedGroup.Count(depth)];
    private float[]? _column;

    public override void Pack(MatrixPart part, int firstColumn, byte* destination)
    {
        int used = Math.Min(Panel.Width, part.Columns - firstColumn);
        for (int c = 0; c < used; c++)
        {
            Span<sbyte> integers = _integers.AsSpan(c * depth, depth);
            Span<float> scales = _scales.AsSpan(c * _groups, _groups);
            if (part.ReadQuantized is { } readQuantized)
            {
                readQuantized(firstColumn + c, integers, scales);
            }
            else
            {
                _column ??= new float[depth];
                part.Read!(firstColumn + c, _column);
                QuantizedGroup.Quantize(dtype, _column, integers, scales);
            }
        }

        _integers.AsSpan(used * depth).Clear();
        _scales.AsSpan(used * _groups).Clear();
        for (int group = 0; group < _groups; group++)
        {
            destination = PackGroup(group, destination);
        }
    }

    private byte* PackGroup(int group, byte* destination)
    {
        var scales = (float*)destination;
        byte* steps = destination + QuantizedGroup.ScaleBytes;
        for (int c = 0; c < Panel.Width; c++)
        {
            scales[c] = _scales[(c * _groups) + group];
        }

        int first = group * QuantizedGroup.Depth;
        int count = Math.Min(QuantizedGroup.Depth, depth - first);
        fixed (sbyte* integers = &_integers[first])
        {
            if (dtype == WeightDtype.Q8)
            {
                PackBytes(integers, count, (sbyte*)steps);
                return destination + QuantizedGroup.Bytes(Panel.Width);
            }

            PackNibbles(integers, count, steps);
            return destination + QuantizedGroup.Bytes(Panel.Half);
        }
    }

    private void PackBytes(sbyte* integers, int count, sbyte* steps)
    {
        for (int c = 0; c < Panel.Width; c++)
        {
            sbyte* column = integers + ((nint)c * depth);
            for (int i = 0; i < count; i++)
            {
                steps[(i * Panel.Width) + c] = column[i];
            }
        }
    }

    private void PackNibbles(sbyte* integers, int count, byte* steps)
    {
        for (int c = 0; c < Panel.Half; c++)
        {
            sbyte* low = integers + ((nint)c * depth);
            sbyte* high = low + ((nint)Panel.Half * depth);
            for (int i = 0; i < count; i++)
            {
                steps[(i * Panel.Half) + c] = (byte)((low[i] + 8) | ((high[i] + 8) << 4));
            }
        }
    }
}
