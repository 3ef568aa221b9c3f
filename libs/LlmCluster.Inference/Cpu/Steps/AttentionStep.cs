using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.Cpu.Threading;
using LlmCluster.Inference.Models;

namespace LlmCluster.Inference.Cpu.Steps;

/// <summary>
/// Attention of a chunk. Items are pairs of a planned task and a KV head; where sequences that decode are too few for the threads, and long, threads share the parts
/// of an item.
/// </summary>
internal sealed unsafe class AttentionStep : IParallelWork
{
    private const int ItemsPerThread = 2;

    private readonly CpuModel _model;
    private readonly CpuKvBlockStore _store;
    private readonly BatchPlan _plan;
    private readonly Workspace _workspace;
    private AttentionShape _shape;
    private PinnedList<PlannedTask> _tasks = null!;
    private int _firstTask;
    private int _count;
    private readonly int _partFloats;
    private Phase _phase;
    private int _parts;
    private float* _states;

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
        _partFloats = model.Kernels.AttentionPartFloats(_shape.HeadDim, _shape.Group);
    }

    private enum Phase
    {
        Whole,
        Parts,
        Merge,
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
    public void RunOn(ThreadTeam team)
    {
        int items = _count * _shape.KvHeads;
        _parts = items < ItemsPerThread * team.Threads ? MostParts() : 1;
        if (_parts == 1)
        {
            _phase = Phase.Whole;
            team.Run(this, items, 1);
            return;
        }

        _states = _workspace.AttentionParts((long)items * _parts * _partFloats);
        _phase = Phase.Parts;
        team.Run(this, items * _parts, 1);
        _phase = Phase.Merge;
        team.Run(this, items, 1);
    }

    public void Run(int first, int end, int thread)
    {
        for (int i = first; i < end; i++)
        {
            int item = _phase == Phase.Parts ? i / _parts : i;
            AttentionTask task = Task(item);
            switch (_phase)
            {
                case Phase.Whole:
                    _model.Kernels.Attention(_shape, task, _workspace.AttentionScratch(thread));
                    break;
                case Phase.Parts:
                    (int firstPart, int lastPart) = _shape.Parts(task);
                    int part = firstPart + (i % _parts);
                    if (part <= lastPart)
                    {
                        _model.Kernels.AttentionPart(_shape, task, part, _workspace.AttentionScratch(thread), _states + ((nint)i * _partFloats));
                    }

                    break;
                default:
                    _model.Kernels.MergeAttention(_shape, task, _states + ((nint)item * _parts * _partFloats));
                    break;
            }
        }
    }

    // 1 if a task has more than one token: then there is enough to do.
    private int MostParts()
    {
        int most = 1;
        for (int i = 0; i < _count; i++)
        {
            AttentionTask task = Task(i * _shape.KvHeads);
            if (task.Tokens > 1)
            {
                return 1;
            }

            (int first, int last) = _shape.Parts(task);
            most = Math.Max(most, last - first + 1);
        }

        return most;
    }

    private AttentionTask Task(int item)
    {
        PlannedTask planned = _tasks[_firstTask + (item / _shape.KvHeads)];
        float* queries = _workspace.QueryKeyValue + _model.Layers[0].QueryKeyValue.Offset(LayerWeights.Query);
        return new AttentionTask
        {
            Query = queries + ((nint)planned.Row * _shape.QueryStride),
            Result = _workspace.Attention + ((nint)planned.ResultRow * _shape.ResultStride),
            Tokens = planned.Tokens,
            Position = planned.Position,
            BlockTable = _plan.Blocks.Pointer + planned.FirstBlock,
            KvHead = item % _shape.KvHeads,
        };
    }
}
