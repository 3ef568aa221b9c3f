using System.Diagnostics;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Kernels;
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

    /// <summary>
    /// Runs all products once, multiply-adds before, after and between each two of them: what a shared machine can do changes within
    /// milliseconds, and both are to get the same of it.
    /// </summary>
    /// <returns>10⁹ operations per second of the products, and of the multiply-adds.</returns>
    public (double Products, double MultiplyAdds) Measure(FmaPeak multiplyAdds)
    {
        var products = new Stopwatch();
        var peak = Stopwatch.StartNew();
        multiplyAdds.Run();
        peak.Stop();
        int runs = 1;
        foreach (LayerWeights layer in _model.Layers)
        {
            foreach ((PackedMatrix weights, nint result, int stride) in Matrices(layer))
            {
                _gemm.Set(Rows, weights, (float*)result, stride);
                products.Start();
                _gemm.RunOn(_team);
                products.Stop();
                peak.Start();
                multiplyAdds.Run();
                peak.Stop();
                runs++;
            }
        }

        return (Operations / products.Elapsed.TotalSeconds / 1e9, runs * multiplyAdds.Operations / peak.Elapsed.TotalSeconds / 1e9);
    }

    public void Dispose() => _workspace.Dispose();

    private (PackedMatrix Weights, nint Result, int Stride)[] Matrices(LayerWeights layer) =>
    [
        (layer.QueryKeyValue, (nint)_workspace.QueryKeyValue, _workspace.QueryKeyValueStride),
        (layer.AttentionOutput, (nint)_workspace.Residual, _workspace.HiddenStride),
        (layer.GateUp, (nint)_workspace.GateUp, _workspace.GateUpStride),
        (layer.Down, (nint)_workspace.Residual, _workspace.HiddenStride),
    ];

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
