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
        var scales = (ushort*)destination;
        byte* pairs = destination + QuantizedGroup.ScaleBytes;
        for (int c = 0; c < Panel.Width; c++)
        {
            // As Panel has them: columns c and c + 16 in one word.
            scales[(2 * (c % Panel.Half)) + (c / Panel.Half)] = Bfloat16.FromSingle(_scales[(c * _groups) + group]);
        }

        int first = group * QuantizedGroup.Depth;
        int count = Math.Min(QuantizedGroup.Depth, depth - first);
        fixed (sbyte* integers = &_integers[first])
        {
            if (dtype == WeightDtype.Q8)
            {
                PackBytes(integers, count, (sbyte*)pairs);
                return destination + QuantizedGroup.Bytes(Panel.Width);
            }

            PackNibbles(integers, count, pairs);
            return destination + QuantizedGroup.Bytes(Panel.Half);
        }
    }

    // Of two bytes, step i of a group is the first if it is in the group's first half.
    private static int PairByte(int step, int column, int pairBytes) =>
        (step % QuantizedGroup.Pairs * pairBytes) + (2 * column) + (step / QuantizedGroup.Pairs);

    private void PackBytes(sbyte* integers, int count, sbyte* pairs)
    {
        for (int c = 0; c < Panel.Width; c++)
        {
            sbyte* column = integers + ((nint)c * depth);
            for (int i = 0; i < count; i++)
            {
                pairs[PairByte(i, c, 2 * Panel.Width)] = column[i];
            }
        }
    }

    private void PackNibbles(sbyte* integers, int count, byte* pairs)
    {
        for (int c = 0; c < Panel.Half; c++)
        {
            sbyte* low = integers + ((nint)c * depth);
            sbyte* high = low + ((nint)Panel.Half * depth);
            for (int i = 0; i < count; i++)
            {
                pairs[PairByte(i, c, Panel.Width)] = (byte)((low[i] + QuantizedGroup.Shift) | ((high[i] + QuantizedGroup.Shift) << 4));
            }
        }
    }
}
