using System.Runtime.CompilerServices;
using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.Cpu.Steps;
using LlmCluster.Inference.Cpu.Threading;
using LlmCluster.Inference.Execution;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;

namespace LlmCluster.Inference.Cpu;

/// <summary>
/// Runs a <see cref="CpuModel"/> on the CPU, with a KV pool and threads of its own. A pass goes layer by layer, within a
/// layer chunk by chunk of rows; rows stand in the order of positions, so a chunk finds the keys of those before it in
/// the pool. In the last layer only the rows that want logits go on after their keys and values are written.
/// </summary>
public sealed unsafe class CpuModelRunner : IModelRunner
{
    private readonly CpuModel _model;
    private readonly CpuKvBlockStore _store;
    private readonly ThreadTeam _team;
    private readonly Workspace _workspace;
    private readonly BatchPlan _plan;
    private readonly EmbedStep _embed;
    private readonly LeftStep _left;
    private readonly GemmStep _gemm;
    private readonly RotaryStep _rotary;
    private readonly AttentionStep _attention;
    private bool _disposed;

    /// <summary>Creates a runner: allocates its KV pool and starts its threads.</summary>
    /// <param name="model">The model; must outlive the runner.</param>
    /// <param name="blockCount">Blocks of the KV pool; <see cref="KvLayout.BlockBytes"/> each.</param>
    /// <param name="threading">Its <see cref="CpuOptions.Threads"/>, <see cref="CpuOptions.Affinity"/> and <see cref="CpuOptions.PrefetchWeights"/> count; none: those of the model.</param>
    public CpuModelRunner(CpuModel model, int blockCount, CpuOptions? threading = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        threading ??= model.Options;
        _model = model;
        _store = new CpuKvBlockStore(model.KvLayout, blockCount);
        _workspace = new Workspace(model, threading.ThreadCount);
        int taskTokens = AttentionShape.TaskTokensFor(model.Config.Heads / model.Config.KvHeads);
        _plan = new BatchPlan(taskTokens, Workspace.MaxChunkRows, model.Kernels.TileRows);
        _embed = new EmbedStep(model, _plan, _workspace);
        _left = new LeftStep(model.Kernels, _workspace, model.Config.RmsNormEps);
        _gemm = new GemmStep(model.Kernels, _workspace, _left, threading.PrefetchesWeights);
        _rotary = new RotaryStep(model, _store, _plan, _workspace);
        _attention = new AttentionStep(model, _store, _plan, _workspace);
        _team = new ThreadTeam(threading.ThreadCount, threading.Processors);
    }

    /// <inheritdoc/>
    public ModelConfig Config => _model.Config;

    /// <inheritdoc/>
    public IKvBlockStore KvStore => _store;

    /// <inheritdoc/>
    public string Fingerprint => _model.Fingerprint;

    /// <inheritdoc/>
    public void Forward(ForwardBatch batch, Span<float> logits, IForwardObserver? observer = null)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(batch);
        BatchValidation.Check(batch, logits.Length, Config, _store.Layout, _store.BlockCount);

        using ThreadTeam.CallerScope pinned = _team.PinCaller();
        _plan.Build(batch);
        _workspace.EnsureRoom(batch.TokenCount, _plan.LargestChunk, batch.LogitRows);
        _model.Rotary.Prepare(_plan.LastPosition);

        _team.Run(_embed, batch.TokenCount, EmbedStep.Grain);
        int last = Config.Layers - 1;
        for (int layer = 0; layer < last; layer++)
        {
            RunLayer(layer, observer);
        }

        RunLastLayer(last, observer);
        RunHead(batch.LogitRows, logits);
    }

    /// <summary>Ends the threads and frees the pool. No pass may be running.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _team.Dispose();
            _workspace.Dispose();
            _store.Dispose();
        }
    }

    private void RunLayer(int layer, IForwardObserver? observer)
    {
        for (int i = 0; i < _plan.Chunks.Count; i++)
        {
            PlannedChunk chunk = _plan.Chunks[i];
            WriteKeysAndValues(layer, chunk);
            if (i == _plan.Chunks.Count - 1)
            {
                observer?.OnLayerWritten(layer);
            }

            float* rows = _workspace.Residual + ((nint)chunk.FirstRow * _workspace.HiddenStride);
            _attention.Set(layer, _plan.Tasks, chunk.FirstTask, chunk.Tasks);
            RunAttentionAndMlp(layer, rows, chunk.Rows);
        }
    }

    private void RunLastLayer(int layer, IForwardObserver? observer)
    {
        for (int i = 0; i < _plan.Chunks.Count; i++)
        {
            PlannedChunk chunk = _plan.Chunks[i];
            WriteKeysAndValues(layer, chunk);
            if (i == _plan.Chunks.Count - 1)
            {
                observer?.OnLayerWritten(layer);
            }

            if (chunk.Logits > 0)
            {
                float* rows = _workspace.Selected + ((nint)chunk.FirstLogit * _workspace.HiddenStride);
                SelectLogitRows(chunk, rows);
                _attention.Set(layer, _plan.LogitTasks, chunk.FirstLogitTask, chunk.LogitTasks);
                RunAttentionAndMlp(layer, rows, chunk.Logits);
            }
        }
    }

    private void WriteKeysAndValues(int layer, in PlannedChunk chunk)
    {
        LayerWeights weights = _model.Layers[layer];
        float* rows = _workspace.Residual + ((nint)chunk.FirstRow * _workspace.HiddenStride);
        _left.SetNorm(rows, _workspace.HiddenStride, chunk.Rows, weights.InputNorm, weights.QueryKeyValue);
        _left.RunOn(_team);
        _gemm.Set(chunk.Rows, weights.QueryKeyValue, _workspace.QueryKeyValue, _workspace.QueryKeyValueStride, bias: weights.Bias);
        _gemm.RunOn(_team);
        _rotary.Set(layer, chunk);
        _rotary.RunOn(_team);
    }

    // The products that end each half of the layer add to the residual stream in place.
    private void RunAttentionAndMlp(int layer, float* rows, int count)
    {
        LayerWeights weights = _model.Layers[layer];
        _attention.RunOn(_team);
        _left.SetPlain(_workspace.Attention, _workspace.AttentionStride, count, weights.AttentionOutput);
        _left.RunOn(_team);
        _gemm.Set(count, weights.AttentionOutput, rows, _workspace.HiddenStride, accumulate: true);
        _gemm.RunOn(_team);

        _left.SetNorm(rows, _workspace.HiddenStride, count, weights.PostAttentionNorm, weights.GateUp);
        _left.RunOn(_team);
        _gemm.Set(count, weights.GateUp, _workspace.GateUp, _workspace.GateUpStride);
        _gemm.RunOn(_team);
        _left.SetGate(_workspace.GateUp, _workspace.GateUpStride, count, weights.GateUp.Offset(LayerWeights.Up), weights.Down);
        _left.RunOn(_team);
        _gemm.Set(count, weights.Down, rows, _workspace.HiddenStride, accumulate: true);
        _gemm.RunOn(_team);
    }

    private void SelectLogitRows(in PlannedChunk chunk, float* destination)
    {
        for (int i = 0; i < chunk.Logits; i++)
        {
            float* source = _workspace.Residual + ((nint)_plan.LogitRows[chunk.FirstLogit + i] * _workspace.HiddenStride);
            Unsafe.CopyBlock(destination + ((nint)i * _workspace.HiddenStride), source, (uint)_workspace.HiddenStride * sizeof(float));
        }
    }

    private void RunHead(int count, Span<float> logits)
    {
        for (int first = 0; first < count; first += _workspace.MaxLogitRows)
        {
            int rows = Math.Min(_workspace.MaxLogitRows, count - first);
            float* selected = _workspace.Selected + ((nint)first * _workspace.HiddenStride);
            _left.SetNorm(selected, _workspace.HiddenStride, rows, _model.FinalNorm, _model.Head);
            _left.RunOn(_team);
            _gemm.Set(rows, _model.Head, _workspace.Logits, _workspace.LogitStride);
            _gemm.RunOn(_team);
            for (int row = 0; row < rows; row++)
            {
                new ReadOnlySpan<float>(_workspace.Logits + ((nint)row * _workspace.LogitStride), Config.VocabSize)
                    .CopyTo(logits.Slice((first + row) * Config.VocabSize, Config.VocabSize));
            }
        }
    }
}
