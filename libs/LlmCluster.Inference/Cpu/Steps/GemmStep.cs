using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.Cpu.Threading;

namespace LlmCluster.Inference.Cpu.Steps;

/// <summary>A product of the left operand with weights. Items are panels of columns.</summary>
internal sealed unsafe class GemmStep(CpuKernels kernels, Workspace workspace) : IParallelWork
{
    // Columns that decode computes together come in fours; and each thread should find some pieces to take.
    private const int PanelUnit = 4;
    private const int PiecesPerThread = 6;

    private GemmCall _call;

    /// <summary>Sets the product <c>result = left · weights</c>, or what <paramref name="accumulate"/> and <paramref name="bias"/> make of it.</summary>
    public void Set(int rows, PackedMatrix weights, float* result, int stride, bool accumulate = false, NativeBuffer? bias = null) =>
        _call = new GemmCall
        {
            Left = workspace.Left,
            Rows = rows,
            Weights = weights,
            Result = result,
            Stride = stride,
            Accumulate = accumulate,
            Bias = bias is null ? null : bias.Floats,
        };

    /// <summary>Runs over all panels.</summary>
    public void RunOn(ThreadTeam team)
    {
        int panels = _call.Weights.Panels;
        int grain = panels / (team.Threads * PiecesPerThread) / PanelUnit * PanelUnit;
        team.Run(this, panels, Math.Max(grain, PanelUnit));
    }

    public void Run(int first, int end, int thread) => kernels.Gemm(_call, first, end, workspace.GemmScratch(thread));
}
