namespace LlmCluster.Inference.Scheduling;

/// <content>Sequences that wait for blocks which come up from a tier below the pool.</content>
internal sealed partial class Scheduler
{
    /// <summary>Whether there are any.</summary>
    public bool IsLoading => tiers is not null && _running.Exists(static sequence => sequence.Load is not null);

    // False when no tier has the block that comes next.
    private bool TryLoad(Sequence sequence, int cachedBlocks)
    {
        int end = sequence.Reusable.Length;
        sequence.Load = tiers?.TryLoad(sequence.Reusable[cachedBlocks..], sequence.Blocks[cachedBlocks..end]);
        return sequence.Load is not null;
    }

    private void TakeLoaded(StepPlan plan)
    {
        if (tiers is null)
        {
            return;
        }

        foreach (Sequence sequence in _running)
        {
            if (sequence.Load is { } load && (load.IsOver || (load.IsLate && load.TryStop())))
            {
                sequence.TakeLoaded();
                plan.Admitted.Add(sequence);
            }
        }
    }
}
