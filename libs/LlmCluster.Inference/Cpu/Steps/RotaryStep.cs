using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.Cpu.Threading;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;

namespace LlmCluster.Inference.Cpu.Steps;

/// <summary>
/// Norms and turns a chunk's queries and keys, scales the queries for attention, and writes keys and values to the
/// pool. Items are rows.
/// </summary>
internal sealed unsafe class RotaryStep(CpuModel model, CpuKvBlockStore store, BatchPlan plan, Workspace workspace) : IParallelWork
{
    private const int Grain = 8;

    private readonly float _queryScale = 1f / MathF.Sqrt(model.Config.HeadDim);
    private LayerWeights _weights = null!;
    private byte* _pool;
    private int _firstRow;
    private int _rows;

    public void Set(int layer, in PlannedChunk chunk)
    {
        _weights = model.Layers[layer];
        _pool = store.Layer(layer);
        _firstRow = chunk.FirstRow;
        _rows = chunk.Rows;
    }

    /// <summary>Runs over all rows.</summary>
    public void RunOn(ThreadTeam team) => team.Run(this, _rows, Grain);

    public void Run(int first, int end, int thread)
    {
        ModelConfig config = model.Config;
        KvLayout layout = store.Layout;
        int headDim = config.HeadDim;
        for (int i = first; i < end; i++)
        {
            PlannedRow row = plan.Rows[_firstRow + i];
            float* angles = model.Rotary.At(row.Position);
            float* values = workspace.QueryKeyValue + ((nint)i * workspace.QueryKeyValueStride);
            float* queries = values + _weights.QueryKeyValue.Offset(LayerWeights.Query);
            float* keys = values + _weights.QueryKeyValue.Offset(LayerWeights.Key);
            for (int head = 0; head < config.Heads; head++)
            {
                Turn(queries + (head * headDim), _weights.QueryNorm, angles, _queryScale);
            }

            for (int head = 0; head < config.KvHeads; head++)
            {
                Turn(keys + (head * headDim), _weights.KeyNorm, angles, 1f);
            }

            int block = plan.Blocks[row.FirstBlock + (row.Position / layout.BlockSize)];
            byte* cell = _pool + ((nint)block * layout.LayerBlockBytes);
            float* value = values + _weights.QueryKeyValue.Offset(LayerWeights.Value);
            int slot = row.Position % layout.BlockSize;
            for (int offset = 0; offset < config.KvHeads * headDim; offset += headDim)
            {
                HeadBlock.WriteKey(layout, cell, slot, keys + offset);
                HeadBlock.WriteValue(layout, cell + layout.HeadBlockBytes, slot, value + offset);
                cell += 2 * layout.HeadBlockBytes;
            }
        }
    }

    private void Turn(float* head, NativeBuffer? norm, float* angles, float scale)
    {
        if (norm is not null)
        {
            model.Kernels.RmsNormHead(head, norm.Floats, model.Config.HeadDim, model.Config.RmsNormEps);
        }

        int half = model.Rotary.Half;
        model.Kernels.Rotate(head, angles, angles + half, half, scale);
    }
}
