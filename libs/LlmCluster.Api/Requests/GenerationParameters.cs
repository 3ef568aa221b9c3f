using LlmCluster.Inference.Models;
using LlmCluster.Inference.Sampling;

namespace LlmCluster.Api.Requests;

/// <summary>What completion and chat requests have in common. A value that is null was not given.</summary>
public sealed record GenerationParameters
{
    /// <summary>Priorities lie between minus this and this.</summary>
    public const int MostPriority = 100;

    /// <summary>Name of the model.</summary>
    public required string Model { get; init; }

    /// <summary>Choices of each prompt.</summary>
    public int Choices { get; init; } = 1;

    /// <summary>Most tokens of each choice.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Tokens before which no stop token is chosen.</summary>
    public int MinTokens { get; init; }

    /// <summary>Softmax temperature, 0 to 2.</summary>
    public float? Temperature { get; init; }

    /// <summary>Nucleus, over 0 to 1.</summary>
    public float? TopP { get; init; }

    /// <summary>Likeliest tokens that are kept; 0 for all.</summary>
    public int? TopK { get; init; }

    /// <summary>Least share of the likeliest token's probability, 0 to 1.</summary>
    public float? MinP { get; init; }

    /// <summary>Over 0; 1 for none.</summary>
    public float? RepetitionPenalty { get; init; }

    /// <summary>-2 to 2.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>-2 to 2.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Added to logits, by token id, -100 to 100.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Makes sampling repeatable.</summary>
    public long? Seed { get; init; }

    /// <summary>Likeliest tokens to report with each token; -1 for no log probabilities at all.</summary>
    public int TopLogprobs { get; init; } = -1;

    /// <summary>Strings that end a choice.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Tokens that end a choice, besides the model's own.</summary>
    public IReadOnlyList<int> StopTokenIds { get; init; } = [];

    /// <summary>Whether the text keeps the stop string that ended it.</summary>
    public bool IncludeStopInOutput { get; init; }

    /// <summary>Whether the model's end-of-sequence tokens are ordinary tokens.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>Whether special tokens are left out of the text.</summary>
    public bool SkipSpecialTokens { get; init; } = true;

    /// <summary>Whether the tokenizer adds its special tokens to the prompt's text; the default depends on the endpoint.</summary>
    public bool AddSpecialTokens { get; init; }

    /// <summary>Whether choices carry the ids of their tokens.</summary>
    public bool ReturnTokenIds { get; init; }

    /// <summary>Tenant's salt of the prefix cache.</summary>
    public string CacheSalt { get; init; } = "";

    /// <summary>Less is sooner, where workers order their queues by it.</summary>
    public int? Priority { get; init; }

    /// <summary>The client's name for its user.</summary>
    public string User { get; init; } = "";

    /// <summary>Whose request it is, as far as the request tells; empty when it doesn't.</summary>
    public string Tenant => User.Length > 0 ? User : CacheSalt;

    /// <summary>Whether the answer is streamed.</summary>
    public bool Stream { get; init; }

    /// <summary>Whether a stream ends with the usage.</summary>
    public bool IncludeUsage { get; init; }

    /// <summary>Sampling of one choice: what the request says, else what the model says, else no filter at temperature 1.</summary>
    /// <param name="defaults">The model's recommendations.</param>
    /// <param name="seed">Key of the choice's generator.</param>
    public SamplingOptions ToSampling(GenerationDefaults defaults, ulong seed) => new()
    {
        Temperature = Temperature ?? defaults.Temperature ?? 1,
        TopP = TopP ?? defaults.TopP ?? 1,
        TopK = TopK ?? defaults.TopK ?? 0,
        MinP = MinP ?? defaults.MinP ?? 0,
        RepetitionPenalty = RepetitionPenalty ?? defaults.RepetitionPenalty ?? 1,
        PresencePenalty = PresencePenalty,
        FrequencyPenalty = FrequencyPenalty,
        LogitBias = LogitBias,
        Seed = seed,
        TopLogprobs = TopLogprobs,
    };
}
