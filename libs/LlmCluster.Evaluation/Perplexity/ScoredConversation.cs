namespace LlmCluster.Evaluation.Perplexity;

/// <summary>A conversation's tokens, and those that the assistant says.</summary>
/// <param name="Tokens">All tokens.</param>
/// <param name="Said">Where the assistant's words begin and end, end marker included; ascending, never from 0.</param>
internal sealed record ScoredConversation(int[] Tokens, IReadOnlyList<Range> Said);
