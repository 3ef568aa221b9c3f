using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.Cpu.Threading;
using LlmCluster.Inference.Models;

namespace LlmCluster.Inference.Cpu.Steps;

/// <summary>Attention of a chunk. Items are pairs of a planned task and a KV head.</summary>
internal sealed unsafe class AttentionStep : IParallelWork
{
    private readonly CpuModel _model;
    private readonly CpuKvBlockStore _store;
    private readonly BatchPlan _plan;
    private readonly Workspace _workspace;
    private AttentionShape _shape;
    private PinnedList<PlannedTask> _tasks = null!;
    private int _firstTask;
    private int _count;

    public AttentionStep(CpuModel model, CpuKvBlockStore store, BatchPlan plan, Workspace workspace)
    {
        _model = model;
        _store = store;
        _plan = plan;
        _workspace = workspace;
        ModelConfig config = model.Config;
        _shape = new AttentionShape
        {
            HeadDim = config.HeadDim,
            KvHeads = config.KvHeads,
            Group = config.Heads / config.KvHeads,
            Window = config.SlidingWindow ?? config.MaxPositions,
            BlockSize = store.Layout.BlockSize,
            Dtype = store.Layout.Dtype,
            BlockBytes = store.Layout.LayerBlockBytes,
            QueryStride = workspace.QueryKeyValueStride,
            ResultStride = workspace.AttentionStride,
        };
    }

    /// <summary>Sets the layer and the tasks.</summary>
    public void Set(int layer, PinnedList<PlannedTask> tasks, int firstTask, int count)
    {
        _shape.Pool = _store.Layer(layer);
        _tasks = tasks;
        _firstTask = firstTask;
        _count = count;
    }

    /// <summary>Runs over all tasks and KV heads.</summary>
    public void RunOn(ThreadTeam team) => team.Run(this, _count * _shape.KvHeads, 1);

    public void Run(int first, int end, int thread)
    {
        float* queries = _workspace.QueryKeyValue + _model.Layers[0].QueryKeyValue.Offset(LayerWeights.Query);
        for (int item = first; item < end; item++)
        {
            PlannedTask planned = _tasks[_firstTask + (item / _shape.KvHeads)];
            var task = new AttentionTask
            {
                Query = queries + ((nint)planned.Row * _shape.QueryStride),
                Result = _workspace.Attention + ((nint)planned.ResultRow * _shape.ResultStride),
                Tokens = planned.Tokens,
                Position = planned.Position,
                BlockTable = _plan.Blocks.Pointer + planned.FirstBlock,
                KvHead = item % _shape.KvHeads,
            };
            _model.Kernels.Attention(_shape, task, _workspace.AttentionScratch(thread));
        }
    }
}
