namespace LlmCluster.Evaluation.Results;

/// <summary>How many answers of one kind are right.</summary>
/// <param name="Name">Skill and bucket; with <c>_parses</c> for whether answers are JSON objects at all.</param>
/// <param name="Right">Answers that are right.</param>
/// <param name="Count">All answers.</param>
/// <param name="MedianPromptTokens">Median length of their prompts.</param>
public sealed record SkillScore(string Name, int Right, int Count, double MedianPromptTokens)
{
    internal const string ParsesSuffix = "_parses";

    /// <summary>Share of right answers, 0 to 1.</summary>
    public double Accuracy => (double)Right / Count;

    /// <summary>
    /// Scores of all results, by skill and then bucket; shorter buckets first, so that context lengths stand in their order.
    /// </summary>
    public static IReadOnlyList<SkillScore> Of(IEnumerable<ConversationResult> results)
    {
        var scores = new List<SkillScore>();
        foreach (IGrouping<string, ConversationResult> group in results.GroupBy(r => r.Name)
            .OrderBy(g => g.First().Skill, StringComparer.Ordinal)
            .ThenBy(g => g.First().Bucket?.Length ?? 0)
            .ThenBy(g => g.First().Bucket, StringComparer.Ordinal))
        {
            scores.Add(Score(group.Key, [.. group], result => result.Right));
            ConversationResult[] json = [.. group.Where(result => result.Parses is not null)];
            if (json.Length > 0)
            {
                scores.Add(Score(group.Key + ParsesSuffix, json, result => result.Parses == true));
            }
        }

        return scores;
    }

    private static SkillScore Score(string name, ConversationResult[] results, Func<ConversationResult, bool> isRight) =>
        new(name, results.Count(isRight), results.Length, Median([.. results.Select(result => result.PromptIds.Count).Order()]));

    private static double Median(int[] sorted) => (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2.0;
}
