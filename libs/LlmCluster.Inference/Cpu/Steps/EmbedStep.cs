using LlmCluster.Inference.Cpu.Threading;
using LlmCluster.Inference.Models;

namespace LlmCluster.Inference.Cpu.Steps;

/// <summary>Looks up the rows' embeddings in the checkpoint's memory map. Items are rows.</summary>
internal sealed unsafe class EmbedStep(CpuModel model, BatchPlan plan, Workspace workspace) : IParallelWork
{
    public const int Grain = 16;

    public void Run(int first, int end, int thread)
    {
        int hidden = model.Config.HiddenSize;
        TensorView embedding = model.Embedding;
        for (int row = first; row < end; row++)
        {
            float* destination = workspace.Residual + ((nint)row * workspace.HiddenStride);
            embedding.ReadRow(plan.Rows[row].Token, new Span<float>(destination, hidden));
            new Span<float>(destination + hidden, workspace.HiddenStride - hidden).Clear();
        }
    }
}
