using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.Cpu.Threading;

namespace LlmCluster.Inference.Cpu.Steps;

/// <summary>A product of the left operand with weights. Items are panels of columns.</summary>
/// <param name="kernels">The kernels.</param>
/// <param name="workspace">Where operands are.</param>
/// <param name="left">What makes the left operand; none: it is in the workspace.</param>
/// <param name="askAhead">See <see cref="GemmCall.AskAhead"/>.</param>
internal sealed unsafe class GemmStep(CpuKernels kernels, Workspace workspace, LeftStep? left, bool askAhead) : IParallelWork
{
    // Few rows take what memory takes, which is best read in long pieces.
    private const int LongPiecesPerShare = 2;

    private GemmCall _call;

    /// <summary>Sets the product <c>result = left · weights</c>, or what <paramref name="accumulate"/> and <paramref name="bias"/> make of it.</summary>
    public void Set(int rows, PackedMatrix weights, float* result, int stride, bool accumulate = false, NativeBuffer? bias = null) =>
        _call = new GemmCall
        {
            Rows = rows,
            Weights = weights,
            Result = result,
            Stride = stride,
            Accumulate = accumulate,
            AskAhead = askAhead,
            Bias = bias is null ? null : bias.Floats,
        };

    /// <summary>Runs over all panels.</summary>
    public void RunOn(ThreadTeam team) => team.Run(
        this,
        _call.Weights.Panels,
        kernels.PanelsAtOnce(_call),
        _call.Rows > kernels.FewRows ? ThreadTeam.PiecesPerShare : LongPiecesPerShare);

    public void Run(int first, int end, int thread)
    {
        GemmCall call = _call;
        call.Left = left is null ? workspace.Left : left.Operand(thread);
        kernels.Gemm(call, first, end, workspace.GemmScratch(thread));
    }
}
