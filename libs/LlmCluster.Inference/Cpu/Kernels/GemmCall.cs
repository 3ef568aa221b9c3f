namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>A product C = A·W, C = A·W + bias or C += A·W.</summary>
internal unsafe struct GemmCall
{
    /// <summary>
    /// Left operand as tiles of <see cref="CpuKernels.TileRows"/> rows, the last with what remains, <see cref="PackedMatrix.LeftWidth"/> floats a row. Each tile
    /// is <c>[k][rows]</c>, or as <see cref="QuantizedLeft{S, V}"/> says where weights are integers.
    /// </summary>
    public float* Left;

    /// <summary>Rows of A and C.</summary>
    public int Rows;

    /// <summary>Right operand.</summary>
    public PackedMatrix Weights;

    /// <summary>C: <see cref="PackedMatrix.Width"/> floats of each row are written.</summary>
    public float* Result;

    /// <summary>Floats from one row of C to the next.</summary>
    public int Stride;

    /// <summary>Whether the sums begin with what C holds.</summary>
    public bool Accumulate;

    /// <summary>Whether a few rows ask memory for weights further on; never changes a bit. See <see cref="CpuOptions.PrefetchWeights"/>.</summary>
    public bool AskAhead;

    /// <summary>What the sums of each column begin with, or null; <see cref="PackedMatrix.Width"/> floats.</summary>
    public float* Bias;
}
