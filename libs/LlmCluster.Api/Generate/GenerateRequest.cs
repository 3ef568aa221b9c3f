using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Sampling;
using LlmCluster.Inference.Scheduling.Prediction;

namespace LlmCluster.Api.Generate;

/// <summary>Which of OpenAI's answers is wanted.</summary>
public enum AnswerKind
{
    /// <summary>That of <c>/v1/completions</c>.</summary>
    Completion,

    /// <summary>That of <c>/v1/chat/completions</c>.</summary>
    Chat,
}

/// <summary>
/// What a gateway asks of the worker that answers the client: the body of <c>POST /internal/generate</c>. The worker
/// gets the sequences from a prefill worker, unless <see cref="Local"/> says all that it needs to generate them itself.
/// </summary>
public sealed record GenerateRequest
{
    /// <summary>Path of the endpoint.</summary>
    public const string Path = "/internal/generate";

    /// <summary>Identity of the client's request on this attempt to serve it; sequences are handed over under it.</summary>
    public required string RequestId { get; init; }

    /// <summary>What the answer looks like.</summary>
    public required AnswerHeader Answer { get; init; }

    /// <summary>How tokens become text.</summary>
    public AnswerOptions Options { get; init; } = new();

    /// <summary>The sequences: prompts times choices.</summary>
    public required IReadOnlyList<GenerateSequence> Sequences { get; init; }

    /// <summary>What the worker needs to generate the sequences itself; null when they are handed over.</summary>
    public LocalGeneration? Local { get; init; }
}

/// <summary>What every part of an answer repeats.</summary>
/// <param name="Id">Identity of the answer.</param>
/// <param name="Kind">Which of OpenAI's answers it is.</param>
/// <param name="Model">Name of the model.</param>
/// <param name="Created">Seconds since 1970.</param>
/// <param name="SystemFingerprint">Identity of weights and number formats, or null.</param>
public sealed record AnswerHeader(string Id, AnswerKind Kind, string Model, long Created, string? SystemFingerprint = null);

/// <summary>How tokens become an answer.</summary>
public sealed record AnswerOptions
{
    /// <summary>Whether it is streamed.</summary>
    public bool Stream { get; init; }

    /// <summary>Whether a stream ends with the usage.</summary>
    public bool IncludeUsage { get; init; }

    /// <summary>Strings that end a choice.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Whether the text keeps what ended it.</summary>
    public bool IncludeStop { get; init; }

    /// <summary>Whether special tokens are left out of the text.</summary>
    public bool SkipSpecialTokens { get; init; } = true;

    /// <summary>Whether choices carry the ids of their tokens.</summary>
    public bool ReturnTokenIds { get; init; }

    /// <summary>Likeliest tokens to report with each token; -1 for no log probabilities at all.</summary>
    public int TopLogprobs { get; init; } = -1;
}

/// <summary>One choice of one prompt.</summary>
/// <param name="Index">Index of the sequence within the request, and of the choice within the answer.</param>
/// <param name="Prompt">Index of the prompt.</param>
/// <param name="Seed">Key of its generator.</param>
/// <param name="MaxTokens">Most tokens to generate.</param>
public sealed record GenerateSequence(int Index, int Prompt, ulong Seed, int MaxTokens);

/// <summary>What a worker needs to generate sequences by itself.</summary>
public sealed record LocalGeneration
{
    /// <summary>Token ids of each prompt.</summary>
    public required IReadOnlyList<int[]> Prompts { get; init; }

    /// <summary>How tokens are chosen; the seed is that of each sequence.</summary>
    public required SamplingOptions Sampling { get; init; }

    /// <summary>Tokens before which no stop token is chosen.</summary>
    public int MinTokens { get; init; }

    /// <summary>Tokens that end a sequence.</summary>
    public IReadOnlyList<int> StopTokenIds { get; init; } = [];

    /// <summary>Whether the model's end-of-sequence tokens are ordinary tokens.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>Tenant's salt of the prefix cache.</summary>
    public string CacheSalt { get; init; } = "";

    /// <summary>Less is sooner.</summary>
    public int Priority { get; init; }

    /// <summary>What is asked for.</summary>
    public RequestKind Kind { get; init; }

    /// <summary>Whose request it is, where that is known.</summary>
    public string Tenant { get; init; } = "";

    /// <summary>
    /// gRPC address of a worker that is thought to hold more of the prompts' blocks than this one: they are fetched before the rest is computed. Null for none.
    /// </summary>
    public Uri? FetchEndpoint { get; init; }

    /// <summary>The sequence as the engine wants it.</summary>
    public GenerationRequest ToGeneration(string requestId, GenerateSequence sequence) => new()
    {
        Id = $"{requestId}/{sequence.Index}",
        Prompt = Prompts[sequence.Prompt],
        Sampling = Sampling with { Seed = sequence.Seed },
        MaxTokens = sequence.MaxTokens,
        MinTokens = MinTokens,
        StopTokenIds = StopTokenIds,
        IgnoreEos = IgnoreEos,
        CacheSalt = CacheSalt,
        Priority = Priority,
        Kind = Kind,
        Tenant = Tenant,
    };
}
