namespace LlmCluster.Inference.Scheduling.Prediction;

/// <summary>
/// How many more blocks running sequences are predicted to hold at the worst moment to come. Each grows by a token a step and gives its blocks back when it ends, so
/// that the worst moment is just before one of them ends (Gong et al., "Past-Future Scheduler for LLM Serving under SLA Guarantees", 2025).
/// One thread at a time.
/// </summary>
/// <remarks>
/// Prompts that are still being computed count as if they decoded. Blocks found in the cache are not counted as given back, for others may hold them.
/// </remarks>
internal sealed class BlockForecast(int blockSize)
{
    // Moments that are looked at; with more sequences, some are left out.
    private const int Moments = 32;

    private readonly List<Entry> _entries = [];

    private readonly record struct Entry(int Length, int Steps, int Held, int GivenBack);

    /// <summary>The blocks that are missing at the worst moment.</summary>
    /// <param name="running">The running sequences.</param>
    public int Growth(IReadOnlyList<Sequence> running)
    {
        Collect(running);
        return WorstMoment();
    }

    /// <summary>The blocks that are missing at the worst moment, besides those that a newcomer has to begin with. 0 where no other grows.</summary>
    /// <param name="running">The running sequences.</param>
    /// <param name="newcomer">A sequence that is to be admitted.</param>
    /// <param name="blocks">The blocks that it begins with.</param>
    public int Growth(IReadOnlyList<Sequence> running, Sequence newcomer, int blocks)
    {
        Collect(running);
        if (_entries.Count > 0)
        {
            Add(newcomer, blocks, blocks);
        }

        return WorstMoment();
    }

    private void Collect(IReadOnlyList<Sequence> running)
    {
        _entries.Clear();
        for (int i = 0; i < running.Count; i++)
        {
            Add(running[i], running[i].Blocks.Length, running[i].OwnBlocks);
        }
    }

    private void Add(Sequence sequence, int held, int givenBack)
    {
        int needed = sequence.Forecast?.Needed(sequence.Generated) ?? 0;
        int steps = needed - sequence.Generated;
        if (steps > 0)
        {
            _entries.Add(new Entry(sequence.Length, steps, held, givenBack));
        }
    }

    private int WorstMoment()
    {
        int worst = 0;
        _entries.Sort(static (a, b) => a.Steps.CompareTo(b.Steps));
        int stride = 1 + (_entries.Count / Moments);
        for (int i = 0; i < _entries.Count; i += stride)
        {
            worst = Math.Max(worst, At(_entries[i].Steps));
        }

        return worst;
    }

    private int At(int step)
    {
        int growth = 0;
        foreach (Entry entry in _entries)
        {
            // K/V of the last token is never needed.
            int blocks = (entry.Length + step - 1 + blockSize - 1) / blockSize;
            growth += entry.Steps < step ? -entry.GivenBack : Math.Max(blocks - entry.Held, 0);
        }

        return growth;
    }
}
