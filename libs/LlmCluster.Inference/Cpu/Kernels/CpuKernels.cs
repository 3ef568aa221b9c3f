using System.Runtime.Intrinsics;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>The kernels of one instruction set. Stateless.</summary>
internal abstract unsafe class CpuKernels
{
    /// <summary>Rows of a full tile of a product's left operand.</summary>
    public abstract int TileRows { get; }

    /// <summary>Up to so many rows a product takes mostly the time in which weights come from memory.</summary>
    public abstract int FewRows { get; }

    /// <summary>The kernels for <paramref name="isa"/>.</summary>
    public static CpuKernels For(CpuIsa isa) => isa switch
    {
        CpuIsa.Avx512 => new CpuKernels<Avx512Simd, Vector512<float>>(),
        CpuIsa.Avx2 => new CpuKernels<Avx2Simd, Vector256<float>>(),
        CpuIsa.Portable => new CpuKernels<PortableSimd, Vector128<float>>(),
        _ => throw new ArgumentOutOfRangeException(nameof(isa), isa, "Unknown instruction set."),
    };

    /// <summary>Bytes of scratch that each thread needs, zero before first use of each kind.</summary>
    public abstract long AttentionScratchBytes(int headDim, int group);

    /// <inheritdoc cref="Gemm{S, V}.ScratchBytes"/>
    public abstract long GemmScratchBytes { get; }

    /// <inheritdoc cref="Gemm{S, V}.PanelGroup"/>
    public abstract int PanelGroup(WeightDtype dtype, bool askAhead);

    /// <inheritdoc cref="Gemm{S, V}.PanelsAtOnce"/>
    public abstract int PanelsAtOnce(in GemmCall call);

    /// <inheritdoc cref="Gemm{S, V}.Run"/>
    public abstract void Gemm(in GemmCall call, int firstPanel, int endPanel, byte* scratch);

    /// <summary>Packs up to <see cref="TileRows"/> rows as a tile of the left operand of a product with <paramref name="weights"/>.</summary>
    public abstract void PackLeft(float* source, nint stride, int rows, PackedMatrix weights, float* left);

    /// <inheritdoc cref="Attention{S, V}.Run"/>
    public abstract void Attention(in AttentionShape shape, in AttentionTask task, byte* scratch);

    /// <inheritdoc cref="Attention{S, V}.PartFloats"/>
    public abstract int AttentionPartFloats(int headDim, int group);

    /// <inheritdoc cref="Attention{S, V}.RunPart"/>
    public abstract void AttentionPart(in AttentionShape shape, in AttentionTask task, int part, byte* scratch, float* state);

    /// <inheritdoc cref="Attention{S, V}.MergeParts"/>
    public abstract void MergeAttention(in AttentionShape shape, in AttentionTask task, float* states);

    /// <inheritdoc cref="RowKernels{S, V}.RmsNorm"/>
    public abstract void RmsNorm(float* x, float* weight, int count, float epsilon, float* y);

    /// <inheritdoc cref="RowKernels{S, V}.RmsNormHead"/>
    public abstract void RmsNormHead(float* head, float* weight, int count, float epsilon);

    /// <inheritdoc cref="RowKernels{S, V}.SiluGate"/>
    public abstract void SiluGate(float* gate, float* up, int count, float* y);

    /// <inheritdoc cref="RowKernels{S, V}.Rotate"/>
    public abstract void Rotate(float* head, float* cosine, float* sine, int half, float scale);
}

/// <summary>The kernels, compiled for the vectors of <typeparamref name="S"/>.</summary>
internal sealed unsafe class CpuKernels<S, V> : CpuKernels
    where S : struct, ISimd<V>
    where V : struct
{
    public override int TileRows => S.TileRows;

    public override int FewRows => Gemm<S, V>.FewTiles * S.TileRows;

    public override long GemmScratchBytes => Gemm<S, V>.ScratchBytes;

    public override long AttentionScratchBytes(int headDim, int group) => Attention<S, V>.ScratchBytes(headDim, group);

    public override int PanelGroup(WeightDtype dtype, bool askAhead) => Gemm<S, V>.PanelGroup(dtype, askAhead);

    public override int PanelsAtOnce(in GemmCall call) => Gemm<S, V>.PanelsAtOnce(call);

    public override void Gemm(in GemmCall call, int firstPanel, int endPanel, byte* scratch) =>
        Gemm<S, V>.Run(call, firstPanel, endPanel, scratch);

    public override void PackLeft(float* source, nint stride, int rows, PackedMatrix weights, float* left)
    {
        if (weights.IsQuantized)
        {
            QuantizedLeft<S, V>.Pack(source, stride, rows, weights.Depth, left);
        }
        else
        {
            TilePacking.Transpose(source, stride, rows, weights.Depth, left, rows);
        }
    }

    public override void Attention(in AttentionShape shape, in AttentionTask task, byte* scratch) =>
        Attention<S, V>.Run(shape, task, scratch);

    public override int AttentionPartFloats(int headDim, int group) => Attention<S, V>.PartFloats(headDim, group);

    public override void AttentionPart(in AttentionShape shape, in AttentionTask task, int part, byte* scratch, float* state) =>
        Attention<S, V>.RunPart(shape, task, part, scratch, state);

    public override void MergeAttention(in AttentionShape shape, in AttentionTask task, float* states) =>
        Attention<S, V>.MergeParts(shape, task, states);

    public override void RmsNorm(float* x, float* weight, int count, float epsilon, float* y) =>
        RowKernels<S, V>.RmsNorm(x, weight, count, epsilon, y);

    public override void RmsNormHead(float* head, float* weight, int count, float epsilon) =>
        RowKernels<S, V>.RmsNormHead(head, weight, count, epsilon);

    public override void SiluGate(float* gate, float* up, int count, float* y) => RowKernels<S, V>.SiluGate(gate, up, count, y);

    public override void Rotate(float* head, float* cosine, float* sine, int half, float scale) =>
        RowKernels<S, V>.Rotate(head, cosine, sine, half, scale);
}
