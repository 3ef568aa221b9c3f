using System.Text.Json.Serialization;

namespace LlmCluster.Evaluation.Results;

/// <summary>What <see cref="ModelEvaluation"/> found. As JSON it holds the scores, which are the same in every run.</summary>
/// <param name="results">The answers.</param>
public sealed class EvaluationReport(IReadOnlyList<ConversationResult> results)
{
    /// <summary>Name of the model's folder.</summary>
    [JsonPropertyName("model")]
    public required string Model { get; init; }

    /// <summary>Identity of its weights.</summary>
    [JsonPropertyName("fingerprint")]
    public required string Fingerprint { get; init; }

    /// <summary>Number format that the weights were computed in.</summary>
    [JsonPropertyName("dtype")]
    public required string Dtype { get; init; }

    /// <summary>Share of right answers, by name.</summary>
    [JsonPropertyName("skills")]
    public IReadOnlyDictionary<string, double> Skills => ByName(score => Math.Round(score.Accuracy, 4));

    /// <summary>Number of answers, by name.</summary>
    [JsonPropertyName("counts")]
    public IReadOnlyDictionary<string, int> Counts => ByName(score => score.Count);

    /// <summary>Median length of the prompts in tokens, by name.</summary>
    [JsonPropertyName("median_prompt_tokens")]
    public IReadOnlyDictionary<string, double> MedianPromptTokens => ByName(score => score.MedianPromptTokens);

    /// <summary>The answers, in the order of the file.</summary>
    [JsonIgnore]
    public IReadOnlyList<ConversationResult> Results { get; } = results;

    /// <summary>The scores, in the order in which to show them.</summary>
    [JsonIgnore]
    public IReadOnlyList<SkillScore> Scores { get; } = SkillScore.Of(results);

    /// <summary>How long it took, loading included.</summary>
    [JsonIgnore]
    public TimeSpan Elapsed { get; init; }

    private OrderedDictionary<string, T> ByName<T>(Func<SkillScore, T> value) =>
        new(Scores.Select(score => KeyValuePair.Create(score.Name, value(score))));
}
