namespace LlmCluster.Cluster.Reservations;

/// <summary>What all gateways together have placed on a worker and what has not ended yet.</summary>
/// <param name="Blocks">KV blocks.</param>
/// <param name="PrefillTokens">Prompt tokens that are not known to be computed.</param>
/// <param name="Sequences">Sequences to decode.</param>
public readonly record struct ReservedRoom(long Blocks, long PrefillTokens, long Sequences)
{
    /// <summary>Both together.</summary>
    public ReservedRoom With(ReservedRoom other) => new(Blocks + other.Blocks, PrefillTokens + other.PrefillTokens, Sequences + other.Sequences);

    /// <summary>What is left without the other; nothing of it is negative.</summary>
    public ReservedRoom Without(ReservedRoom other) =>
        new(Math.Max(Blocks - other.Blocks, 0), Math.Max(PrefillTokens - other.PrefillTokens, 0), Math.Max(Sequences - other.Sequences, 0));
}
