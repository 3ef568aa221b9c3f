using LlmCluster.Inference.KvCache;

namespace LlmCluster.Inference.Scheduling;

/// <summary>
/// The sequence with the least work first, which keeps mean waits short: tokens of its prompt that are not in the prefix cache, and tokens that it is predicted to generate,
/// the median of which counts. Waiting makes up for work, so that nobody waits for ever.
/// </summary>
/// <param name="ageing">After so long a sequence stands as if it had <see cref="AgeingTokens"/> prompt tokens less.</param>
/// <param name="decodeCost">
/// Says what a generated token costs in prompt tokens: its share of a step in which sequences decode, by the time of computing a prompt token
/// (<see cref="StepPacer.DecodeCost"/>). It falls as more sequences share steps. Null: 1.
/// </param>
internal sealed class ShortestUncachedFirst(TimeSpan ageing, Func<double>? decodeCost = null) : IQueuePolicy
{
    /// <summary>Prompt tokens that make up for a wait of one ageing time.</summary>
    public const int AgeingTokens = 4096;

    public bool Reorders => true;

    public double Rank(Sequence sequence, BlockPool pool, TimeSpan waited)
    {
        int cached = pool.CountPrefix(sequence.Reusable) * pool.BlockSize;
        double output = sequence.PredictedTokens * (decodeCost?.Invoke() ?? 1);
        return sequence.Length - cached + output - (AgeingTokens * (waited / ageing));
    }
}
