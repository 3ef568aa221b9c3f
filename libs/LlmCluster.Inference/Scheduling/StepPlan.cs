namespace LlmCluster.Inference.Scheduling;

/// <summary>What the next step does. Reused from step to step.</summary>
internal sealed class StepPlan
{
    /// <summary>Sequences to compute, and how many tokens of each.</summary>
    public List<(Sequence Sequence, int Count)> Work { get; } = [];

    /// <summary>Sequences that were admitted, and whose blocks hold by now all that they will not have to compute.</summary>
    public List<Sequence> Admitted { get; } = [];

    /// <summary>Sequences whose blocks were taken from them; they wait again.</summary>
    public List<Sequence> Preempted { get; } = [];

    /// <summary>Sequences that need more blocks than the pool has. They can't go on.</summary>
    public List<Sequence> Overgrown { get; } = [];

    /// <summary>Whether a running sequence waits for a block that a transfer holds.</summary>
    public bool Stalled { get; set; }

    /// <summary>Tokens that may still be added.</summary>
    public int Budget { get; private set; }

    /// <summary>Prompt tokens that should be added at most, for the step to be short.</summary>
    public int Pace { get; set; }

    /// <summary>Empties the plan.</summary>
    public void Reset(int budget)
    {
        Work.Clear();
        Admitted.Clear();
        Preempted.Clear();
        Overgrown.Clear();
        Stalled = false;
        Budget = budget;
        Pace = budget;
    }

    /// <summary>Sequences of which one token is computed, and tokens of the others.</summary>
    public (int Decodes, int PrefillTokens) Count()
    {
        int decodes = 0;
        int prefillTokens = 0;
        foreach ((_, int count) in Work)
        {
            decodes += count == 1 ? 1 : 0;
            prefillTokens += count == 1 ? 0 : count;
        }

        return (decodes, prefillTokens);
    }

    /// <summary>Adds work.</summary>
    public void Add(Sequence sequence, int count)
    {
        Work.Add((sequence, count));
        Budget -= count;
        Pace -= count;
    }
}
