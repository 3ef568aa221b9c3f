using LlmCluster.Inference.Engine;

namespace LlmCluster.Bench.Interference;

/// <summary>One way to serve prompts and streams on the threads at hand.</summary>
internal interface IRig : IAsyncDisposable
{
    /// <summary>Has a prompt computed, wherever that is, and gives the sequence that goes on with it.</summary>
    ValueTask<IGeneration> StartAsync(GenerationRequest request, CancellationToken cancellationToken);
}
