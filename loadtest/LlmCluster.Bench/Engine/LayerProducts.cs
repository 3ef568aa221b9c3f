using System.Diagnostics;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Steps;
using LlmCluster.Inference.Cpu.Threading;
using LlmCluster.Inference.Models;

namespace LlmCluster.Bench.Engine;

/// <summary>The products of prefill alone: every matrix of every layer, with as many rows as a full chunk of a pass has.</summary>
internal sealed unsafe class LayerProducts : IDisposable
{
    private const int Rows = Workspace.MaxChunkRows;

    private readonly CpuModel _model;
    private readonly ThreadTeam _team;
    private readonly Workspace _workspace;
    private readonly GemmStep _gemm;

    public LayerProducts(CpuModel model, ThreadTeam team)
    {
        _model = model;
        _team = team;
        _workspace = new Workspace(model, team.Threads);
        _workspace.EnsureRoom(Rows, Rows, 1);
        _gemm = new GemmStep(model.Kernels, _workspace);
        ModelConfig config = model.Config;
        int widest = Math.Max(Math.Max(config.HiddenSize, config.IntermediateSize), config.Heads * config.HeadDim);
        var random = new Random(1);
        for (int i = 0; i < Rows * widest; i++)
        {
            _workspace.Left[i] = random.NextSingle() - 0.5f;
        }
    }

    /// <summary>Runs all products once.</summary>
    /// <returns>10⁹ operations per second, a multiply-add being two.</returns>
    public double Measure()
    {
        long began = Stopwatch.GetTimestamp();
        foreach (LayerWeights layer in _model.Layers)
        {
            _gemm.Set(Rows, layer.QueryKeyValue, _workspace.QueryKeyValue, _workspace.QueryKeyValueStride);
            _gemm.RunOn(_team);
            _gemm.Set(Rows, layer.AttentionOutput, _workspace.Residual, _workspace.HiddenStride);
            _gemm.RunOn(_team);
            _gemm.Set(Rows, layer.GateUp, _workspace.GateUp, _workspace.GateUpStride);
            _gemm.RunOn(_team);
            _gemm.Set(Rows, layer.Down, _workspace.Residual, _workspace.HiddenStride);
            _gemm.RunOn(_team);
        }

        return Operations / Stopwatch.GetElapsedTime(began).TotalSeconds / 1e9;
    }

    public void Dispose() => _workspace.Dispose();

    // Of the model's own columns, without those that fill up panels.
    private double Operations
    {
        get
        {
            ModelConfig config = _model.Config;
            double queries = config.Heads * config.HeadDim;
            double keys = config.KvHeads * config.HeadDim;
            double weights = (config.HiddenSize * (2 * queries + 2 * keys)) + (3.0 * config.HiddenSize * config.IntermediateSize);
            return 2 * weights * Rows * config.Layers;
        }
    }
}
