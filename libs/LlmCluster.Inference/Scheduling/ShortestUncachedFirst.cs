using LlmCluster.Inference.KvCache;

namespace LlmCluster.Inference.Scheduling;

/// <summary>
/// The prompt with the fewest tokens to compute first, what is in the prefix cache not counted, which keeps the mean time to the first token short;
/// waiting makes up for length, so that nobody waits for ever.
/// </summary>
/// <param name="ageing">After so long a prompt stands as if it had <see cref="AgeingTokens"/> tokens less.</param>
internal sealed class ShortestUncachedFirst(TimeSpan ageing) : IQueuePolicy
{
    /// <summary>Tokens that make up for a wait of one ageing time.</summary>
    public const int AgeingTokens = 4096;

    public bool Reorders => true;

    public double Rank(Sequence sequence, BlockPool pool, TimeSpan waited)
    {
        int cached = pool.CountPrefix(sequence.Reusable) * pool.BlockSize;
        return sequence.Length - cached - (AgeingTokens * (waited / ageing));
    }
}
