using System.Text.Json;

namespace LlmCluster.Inference.Models;

/// <summary>
/// What a checkpoint says about generation, from <c>generation_config.json</c>; ids that this file lacks come from
/// <c>config.json</c>. Sampling values are null where the checkpoint has no opinion.
/// </summary>
public sealed record GenerationDefaults
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "generation_config.json";

    /// <summary>Tokens that end a sequence; may be empty.</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    /// <summary>Token that starts a sequence.</summary>
    public int? BosTokenId { get; init; }

    /// <summary>Token that pads batches; the engine does not need one.</summary>
    public int? PadTokenId { get; init; }

    /// <summary>Whether to sample rather than to take the likeliest token.</summary>
    public bool? DoSample { get; init; }

    /// <summary>Softmax temperature.</summary>
    public float? Temperature { get; init; }

    /// <summary>Nucleus probability.</summary>
    public float? TopP { get; init; }

    /// <summary>How many of the likeliest tokens to keep; 0 for all.</summary>
    public int? TopK { get; init; }

    /// <summary>Least share of the likeliest token's probability.</summary>
    public float? MinP { get; init; }

    /// <summary>Repetition penalty.</summary>
    public float? RepetitionPenalty { get; init; }

    /// <summary>Most tokens to generate.</summary>
    public int? MaxNewTokens { get; init; }

    /// <summary>Reads the defaults of the checkpoint in <paramref name="directory"/>.</summary>
    internal static GenerationDefaults Read(string directory, JsonSettings config, int vocabSize)
    {
        string file = Path.Combine(directory, FileName);
        JsonSettings? generation = File.Exists(file) ? JsonSettings.Read(file) : null;
        return new GenerationDefaults
        {
            EosTokenIds = (generation is { } g ? TokenIds(g, "eos_token_id", vocabSize) : null) ?? TokenIds(config, "eos_token_id", vocabSize) ?? [],
            BosTokenId = First(generation, "bos_token_id", vocabSize) ?? First(config, "bos_token_id", vocabSize),
            PadTokenId = First(generation, "pad_token_id", vocabSize) ?? First(config, "pad_token_id", vocabSize),
            DoSample = generation?.FindBool("do_sample"),
            Temperature = (float?)generation?.FindNumber("temperature", 0),
            TopP = (float?)generation?.FindNumber("top_p", 0),
            TopK = generation?.FindInt("top_k", minimum: 0),
            MinP = (float?)generation?.FindNumber("min_p", 0),
            RepetitionPenalty = (float?)generation?.FindNumber("repetition_penalty", 0, exclusive: true),
            MaxNewTokens = generation?.FindInt("max_new_tokens"),
        };
    }

    private static int? First(JsonSettings? json, string key, int vocabSize) =>
        json is { } settings && TokenIds(settings, key, vocabSize) is [int id, ..] ? id : null;

    private static int[]? TokenIds(JsonSettings json, string key, int vocabSize)
    {
        if (json.Find(key) is not { } value)
        {
            return null;
        }

        JsonElement[] elements = value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [value];
        int[] ids = new int[elements.Length];
        for (int i = 0; i < ids.Length; i++)
        {
            if (elements[i].ValueKind != JsonValueKind.Number || !elements[i].TryGetInt32(out ids[i]) || ids[i] < -1)
            {
                throw json.Wrong(key, "a token id or an array of token ids", value);
            }
        }

        // Some published files have -1 or an id beyond the vocabulary for "none".
        return [.. ids.Where(id => id >= 0 && id < vocabSize)];
    }
}
