using LlmCluster.Cluster;
using LlmCluster.Cluster.Directory;
using LlmCluster.Gateway.Placement;
using LlmCluster.Gateway.Resilience;

namespace LlmCluster.Gateway.Dispatch;

/// <summary>Asks the prefix-cache directory how much of a request's prompts each worker holds.</summary>
internal sealed class PrefixLookup(IClusterState state, StateGuard guard)
{
    // Requests with many prompts seldom share them with earlier ones; each is a round trip, though all are sent at once.
    private const int MaxPrompts = 16;

    private static readonly Dictionary<string, HeldTokens> Nothing = [];

    /// <summary>Tokens that workers hold, by their ids; empty while the directory can't be reached.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async ValueTask<IReadOnlyDictionary<string, HeldTokens>> FindAsync(
        PromptHashes prompts, IReadOnlyList<WorkerSnapshot> workers, string model, CancellationToken cancellationToken)
    {
        (string ModelFingerprint, int BlockSize)[] kinds =
            [.. workers.Where(w => w.Info.Model == model).Select(w => (w.Info.ModelFingerprint, w.Info.BlockSize)).Distinct()];
        List<(int BlockSize, Task<(bool Succeeded, IReadOnlyList<PrefixMatch>? Matches)> Found)> lookups = [];
        foreach ((string fingerprint, int blockSize) in kinds)
        {
            foreach (ulong[] prefix in prompts.Get(fingerprint, blockSize).Take(MaxPrompts))
            {
                if (prefix.Length > 0)
                {
                    lookups.Add((blockSize, guard.TryAsync(token => state.Directory.FindAsync(prefix, token), cancellationToken).AsTask()));
                }
            }
        }

        if (lookups.Count == 0)
        {
            return Nothing;
        }

        await Task.WhenAll(lookups.Select(lookup => lookup.Found)).ConfigureAwait(false);
        Dictionary<string, HeldTokens> held = [];
        foreach ((int blockSize, Task<(bool Succeeded, IReadOnlyList<PrefixMatch>? Matches)> found) in lookups)
        {
            foreach (PrefixMatch match in (await found.ConfigureAwait(false)).Matches ?? [])
            {
                held.TryGetValue(match.WorkerId, out HeldTokens sum);
                held[match.WorkerId] = new HeldTokens(sum.Device + (match.DeviceBlocks * blockSize), sum.Any + (match.Blocks * blockSize));
            }
        }

        return held;
    }
}
