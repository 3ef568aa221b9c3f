using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Engine;

namespace LlmCluster.Bench.Interference;

/// <summary>One worker that does both, with all threads.</summary>
internal sealed class MixedRig : IRig
{
    private readonly CpuModelRunner _runner;
    private readonly InferenceEngine _engine;

    public MixedRig(CpuModel model, int blockCount, EngineOptions options)
    {
        _runner = new CpuModelRunner(model, blockCount);
        _engine = new InferenceEngine(_runner, options);
    }

    public ValueTask<IGeneration> StartAsync(GenerationRequest request, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_engine.Submit(request));

    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync().ConfigureAwait(false);
        _runner.Dispose();
    }
}
