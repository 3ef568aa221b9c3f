namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>Makes panels of one number format, one at a time; for one thread. Columns that fill up a panel become zero.</summary>
internal abstract unsafe class PanelPacker
{
    /// <summary>Creates a packer.</summary>
    /// <param name="dtype">Number format of the panels.</param>
    /// <param name="depth">Inputs of each column.</param>
    /// <param name="group">Panels whose steps take turns.</param>
    public static PanelPacker Create(WeightDtype dtype, int depth, int group) => dtype switch
    {
        WeightDtype.F32 or WeightDtype.BF16 => new NumberPanelPacker(dtype, depth, group),
        WeightDtype.Q8 or WeightDtype.Q4 => new IntegerPanelPacker(dtype, depth),
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, null),
    };

    /// <summary>Packs a panel.</summary>
    /// <param name="part">Where its columns come from.</param>
    /// <param name="firstColumn">The first one's index in the part.</param>
    /// <param name="destination">The panel, zero so far.</param>
    public abstract void Pack(MatrixPart part, int firstColumn, byte* destination);
}
