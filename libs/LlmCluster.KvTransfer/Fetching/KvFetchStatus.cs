namespace LlmCluster.KvTransfer.Fetching;

/// <summary>What a worker fetched since its start.</summary>
/// <param name="Fetches">Prompts whose blocks were asked for.</param>
/// <param name="Blocks">Blocks that came, and need not be computed.</param>
/// <param name="Bytes">Bytes that came.</param>
/// <param name="Failures">Fetches that failed or took too long: what they did not bring is computed.</param>
/// <param name="Skipped">Prompts that there was no room to fetch blocks for.</param>
public readonly record struct KvFetchStatus(long Fetches, long Blocks, long Bytes, long Failures, long Skipped);
