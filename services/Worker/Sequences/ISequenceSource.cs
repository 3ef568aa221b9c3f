using LlmCluster.Inference.Engine;

namespace LlmCluster.Worker.Sequences;

/// <summary>Where the HTTP endpoint of a worker gets its sequences from.</summary>
public interface ISequenceSource
{
    /// <summary>Generates a sequence here, prompt and answer.</summary>
    /// <param name="request">The sequence.</param>
    /// <param name="fetchEndpoint">gRPC address of a worker that is thought to hold more of the prompt's blocks than this one; null for none.</param>
    /// <param name="cancellationToken">The client's connection.</param>
    /// <exception cref="GenerationException">The request can never be served here.</exception>
    ValueTask<IGeneration> StartAsync(GenerationRequest request, Uri? fetchEndpoint, CancellationToken cancellationToken);

    /// <summary>
    /// Waits for a sequence that a prefill worker hands over. Disposing the result, or cancelling the wait, drops the
    /// sequence: a transfer under way is ended, a later one is refused, and every block is released.
    /// </summary>
    /// <param name="requestId">Identity of the client's request.</param>
    /// <param name="index">Index of the sequence within it.</param>
    /// <param name="cancellationToken">The client's connection.</param>
    /// <exception cref="GenerationException">The hand-over failed or passed its deadline.</exception>
    ValueTask<IGeneration> ReceiveAsync(string requestId, int index, CancellationToken cancellationToken);
}
