namespace LlmCluster.Cluster.Reservations;

/// <summary>What a request takes of one worker.</summary>
/// <param name="WorkerId">The worker.</param>
/// <param name="Blocks">KV blocks at the worst moment, as far as is foreseen.</param>
/// <param name="PrefillTokens">Prompt tokens to compute.</param>
/// <param name="Sequences">Sequences to decode.</param>
/// <param name="BlockLimit">Refuse when all reserved blocks of the worker would be more than these; its <see cref="WorkerInfo.TotalBlocks"/>.</param>
public readonly record struct RoomClaim(string WorkerId, int Blocks, int PrefillTokens, int Sequences, int BlockLimit);
