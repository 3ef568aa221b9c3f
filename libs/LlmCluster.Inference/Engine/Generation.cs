using LlmCluster.Inference.Sampling;
using LlmCluster.Inference.Scheduling.Prediction;

namespace LlmCluster.Inference.Engine;

/// <summary>One sequence to generate. Immutable.</summary>
public sealed record GenerationRequest
{
    /// <summary>Identity in logs; unique among live sequences of a worker.</summary>
    public required string Id { get; init; }

    /// <summary>Prompt token ids; at least one.</summary>
    public required int[] Prompt { get; init; }

    /// <summary>How tokens are chosen.</summary>
    public required SamplingOptions Sampling { get; init; }

    /// <summary>Most tokens to generate; at least one. The context limit may end the sequence earlier.</summary>
    public required int MaxTokens { get; init; }

    /// <summary>Tokens before which no stop token is allowed to be chosen.</summary>
    public int MinTokens { get; init; }

    /// <summary>Tokens that end the sequence: end-of-sequence tokens of the model and those of the request.</summary>
    public IReadOnlyList<int> StopTokenIds { get; init; } = [];

    /// <summary>Whether the model's end-of-sequence tokens are ordinary tokens. <see cref="StopTokenIds"/> then holds only the request's.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>Tenant's salt of the prefix cache.</summary>
    public string CacheSalt { get; init; } = "";

    /// <summary>Less is sooner, where the queue is ordered by it; decides no token.</summary>
    public int Priority { get; init; }

    /// <summary>What is asked for; output lengths are predicted from it. Decides no token.</summary>
    public RequestKind Kind { get; init; }

    /// <summary>Whose request it is, where that is known; output lengths are predicted from it. Decides no token.</summary>
    public string Tenant { get; init; } = "";
}

/// <summary>Why a sequence ended.</summary>
public enum FinishReason
{
    /// <summary>Not yet.</summary>
    None,

    /// <summary>A stop token or a stop string.</summary>
    Stop,

    /// <summary>Most tokens, or the context limit.</summary>
    Length,
}

/// <summary>A token with its log probability.</summary>
/// <param name="TokenId">The token.</param>
/// <param name="Logprob">Natural logarithm of its probability under the model, before temperature and filters.</param>
public readonly record struct TokenLogprob(int TokenId, float Logprob);

/// <summary>A generated token.</summary>
/// <param name="TokenId">The token.</param>
/// <param name="FinishReason">Set on the last token; a stop token itself is reported, too.</param>
/// <param name="Logprob">Log probability of the token, when asked for.</param>
/// <param name="TopLogprobs">The likeliest tokens, likeliest first, when asked for.</param>
public readonly record struct GeneratedToken(int TokenId, FinishReason FinishReason, float? Logprob = null, TokenLogprob[]? TopLogprobs = null);

/// <summary>
/// A sequence that is being generated. Disposing it before its end cancels it; its blocks are released in either case,
/// and when the disposal is done they are. Reading a cancelled sequence ends with
/// <see cref="OperationCanceledException"/>.
/// </summary>
public interface IGeneration : IAsyncDisposable
{
    /// <summary>The request.</summary>
    GenerationRequest Request { get; }

    /// <summary>Prompt tokens whose K/V came from the prefix cache of the worker that computed the prompt; known with the first token.</summary>
    int CachedTokens { get; }

    /// <summary>
    /// The tokens as they are generated; ends after the one with a <see cref="FinishReason"/>.
    /// Throws <see cref="GenerationException"/> when the sequence fails.
    /// </summary>
    IAsyncEnumerable<GeneratedToken> ReadAllAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Says that the answer is complete, by a stop string for example, before the engine found an end. Disposing it then counts as its end, and not as one that was
    /// broken off, for the prediction of other outputs' lengths.
    /// </summary>
    void Complete()
    {
    }
}

/// <summary>What kind of failure ended a sequence; decides status codes.</summary>
public enum GenerationError
{
    /// <summary>The request can't be served: it is too long, say.</summary>
    InvalidRequest,

    /// <summary>No room or no time now; the same request may succeed later.</summary>
    Overloaded,

    /// <summary>A stage passed its deadline.</summary>
    DeadlineExceeded,

    /// <summary>A worker that was needed is gone.</summary>
    Unavailable,

    /// <summary>A defect.</summary>
    Internal,
}

/// <summary>A sequence failed.</summary>
public sealed class GenerationException(GenerationError error, string message, Exception? innerException = null)
    : Exception(message, innerException)
{
    /// <summary>The kind of failure.</summary>
    public GenerationError Error { get; } = error;
}
