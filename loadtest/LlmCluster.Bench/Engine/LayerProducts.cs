using System.Diagnostics;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.Cpu.Steps;
using LlmCluster.Inference.Cpu.Threading;
using LlmCluster.Inference.Models;

namespace LlmCluster.Bench.Engine;

/// <summary>The products of prefill alone, as a pass runs them: every matrix of every layer, with as many rows as a full chunk has.</summary>
internal sealed unsafe class LayerProducts : IDisposable
{
    private const int Rows = Workspace.MaxChunkRows;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(1);

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
        _gemm = new GemmStep(model.Kernels, _workspace, left: null, model.Options.PrefetchesWeights);
        ModelConfig config = model.Config;
        int widest = Math.Max(Math.Max(config.HiddenSize, config.IntermediateSize), config.Heads * config.HeadDim);
        var random = new Random(1);
        for (int i = 0; i < Rows * widest; i++)
        {
            _workspace.Left[i] = random.NextSingle() - 0.5f;
        }
    }

    /// <summary>
    /// Runs all products for about a second, once at least, with multiply-adds before, after and between each two of them: what a shared machine can do changes within
    /// milliseconds, and both are to get the same of it.
    /// </summary>
    /// <param name="multiplyAdds">What is run between.</param>
    /// <param name="cancellationToken">Ends it between two rounds.</param>
    public ProductSamples Measure(FmaPeak multiplyAdds, CancellationToken cancellationToken)
    {
        var samples = new ProductSamples([.. Matrices(_model.Layers[0]).Select(static matrix => matrix.Operations)]);
        long began = Stopwatch.GetTimestamp();
        samples.AddMultiplyAdds(multiplyAdds.Operations / Seconds(multiplyAdds.Run));
        do
        {
            cancellationToken.ThrowIfCancellationRequested();
            foreach (LayerWeights layer in _model.Layers)
            {
                Measure(Matrices(layer), multiplyAdds, samples);
            }
        }
        while (Stopwatch.GetElapsedTime(began) < Duration);

        return samples;
    }

    public void Dispose() => _workspace.Dispose();

    private static double Seconds(Action action)
    {
        long began = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private void Measure(Product[] products, FmaPeak multiplyAdds, ProductSamples samples)
    {
        for (int i = 0; i < products.Length; i++)
        {
            (PackedMatrix weights, nint result, int stride, bool accumulate, _) = products[i];
            _gemm.Set(Rows, weights, (float*)result, stride, accumulate);
            samples.Add(i, Seconds(() => _gemm.RunOn(_team)));
            samples.AddMultiplyAdds(multiplyAdds.Operations / Seconds(multiplyAdds.Run));
        }
    }

    private Product[] Matrices(LayerWeights layer)
    {
        ModelConfig config = _model.Config;
        int queries = config.Heads * config.HeadDim;
        int keys = config.KvHeads * config.HeadDim;
        return
        [
            new(layer.QueryKeyValue, (nint)_workspace.QueryKeyValue, _workspace.QueryKeyValueStride, false, Operations(config.HiddenSize, queries + (2 * keys))),
            new(layer.AttentionOutput, (nint)_workspace.Residual, _workspace.HiddenStride, true, Operations(queries, config.HiddenSize)),
            new(layer.GateUp, (nint)_workspace.GateUp, _workspace.GateUpStride, false, Operations(config.HiddenSize, 2 * config.IntermediateSize)),
            new(layer.Down, (nint)_workspace.Residual, _workspace.HiddenStride, true, Operations(config.IntermediateSize, config.HiddenSize)),
        ];
    }

    // Of the model's own columns, without those that fill up panels.
    private static double Operations(int depth, int columns) => 2.0 * Rows * depth * columns;

    private sealed record Product(PackedMatrix Weights, nint Result, int Stride, bool Accumulate, double Operations);
}
