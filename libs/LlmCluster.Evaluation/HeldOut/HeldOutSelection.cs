namespace LlmCluster.Evaluation.HeldOut;

/// <summary>Takes a part of the held-out conversations.</summary>
internal static class HeldOutSelection
{
    /// <summary>The conversations of some skills, and of each name only the first ones.</summary>
    /// <param name="conversations">All of them.</param>
    /// <param name="skills">Skills (<c>recall</c>), or single names (<c>recall_512</c>); none: all.</param>
    /// <param name="limit">Most conversations of each name; none: all.</param>
    /// <exception cref="EvaluationException">A skill is not there.</exception>
    public static List<HeldOutConversation> Select(
        IReadOnlyList<HeldOutConversation> conversations, IReadOnlyList<string> skills, int? limit)
    {
        foreach (string skill in skills)
        {
            if (!conversations.Any(c => Belongs(c, skill)))
            {
                IEnumerable<string> known = conversations.Select(c => c.Skill).Distinct().Order(StringComparer.Ordinal);
                throw new EvaluationException($"No conversation has the skill '{skill}'; there are {string.Join(", ", known)}.");
            }
        }

        var taken = new Dictionary<string, int>(StringComparer.Ordinal);
        return [.. conversations.Where(c =>
            (skills.Count == 0 || skills.Any(skill => Belongs(c, skill)))
            && (taken[c.Name] = taken.GetValueOrDefault(c.Name) + 1) <= (limit ?? int.MaxValue))];
    }

    private static bool Belongs(HeldOutConversation conversation, string skill) =>
        conversation.Skill == skill || conversation.Name == skill;
}
