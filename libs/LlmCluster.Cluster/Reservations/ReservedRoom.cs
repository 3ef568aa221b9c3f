namespace LlmCluster.Cluster.Reservations;

/// <summary>What all gateways together have placed on a worker and what has not ended yet.</summary>
/// <param name="Blocks">KV blocks.</param>
/// <param name="PrefillTokens">Prompt tokens that are not known to be computed.</param>
/// <param name="Sequences">Sequences to decode.</param>
public readonly record struct ReservedRoom(long Blocks, long PrefillTokens, long Sequences);
