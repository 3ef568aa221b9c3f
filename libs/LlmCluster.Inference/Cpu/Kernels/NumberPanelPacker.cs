namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>Makes panels of singles or of pairs of bfloat16; see <see cref="Panel"/>.</summary>
internal sealed unsafe class NumberPanelPacker(WeightDtype dtype, int depth, int group) : PanelPacker
{
    private readonly float[] _columns = new float[Panel.Width * depth];

    public override void Pack(MatrixPart part, int firstColumn, byte* destination)
    {
        ColumnReader read = part.Read ?? throw new ArgumentException($"Integers can't be packed as {dtype}.", nameof(part));
        int used = Math.Min(Panel.Width, part.Columns - firstColumn);
        for (int c = 0; c < used; c++)
        {
            read(firstColumn + c, _columns.AsSpan(c * depth, depth));
        }

        _columns.AsSpan(used * depth).Clear();
        fixed (float* source = _columns)
        {
            if (dtype == WeightDtype.F32)
            {
                TilePacking.Transpose(source, depth, Panel.Width, depth, (float*)destination, Panel.Width);
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
            float* low = columns + ((nint)w * depth);
            float* high = columns + ((nint)(w + Panel.Half) * depth);
            for (int k = 0; k < depth; k++)
            {
                destination[((nint)k * group * Panel.Half) + w] = Bfloat16.FromSingle(low[k]) | ((uint)Bfloat16.FromSingle(high[k]) << 16);
            }
        }
    }
}
