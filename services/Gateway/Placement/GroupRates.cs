using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>How fast a worker is, known or assumed.</summary>
/// <param name="Prefill">Prompt tokens that it computes in a second; above 0.</param>
/// <param name="Transfer">Bytes of K/V that it sends or receives in a second; above 0.</param>
/// <param name="Step">Seconds of a step in which sequences decode; above 0.</param>
internal readonly record struct WorkerRates(double Prefill, double Transfer, double Step);

/// <summary>
/// The rates of workers that can stand in for each other. What a worker has not measured yet is taken to be the median of what the others have, and a constant where
/// none has: a newcomer is neither shunned nor flooded. Nor is a worker shunned for good that was slow once, as it would never be measured again: what it measured long
/// ago counts only where it is better than the median.
/// </summary>
internal sealed class GroupRates
{
    /// <summary>Seconds from which on a measurement is too old to count against a worker. One that is slow gets a request so often at most, for want of a better reason.</summary>
    public const double OldAge = 30;

    // For a cluster that has computed nothing yet. Only their proportions matter, and only for the first requests.
    private static readonly WorkerRates Assumed = new(Prefill: 4000, Transfer: 1e9, Step: 0.03);

    private readonly WorkerRates _median;

    private GroupRates(WorkerRates median) => _median = median;

    /// <summary>The rates of these workers.</summary>
    public static GroupRates Of(IReadOnlyList<WorkerSnapshot> workers)
    {
        double[] known = new double[workers.Count];
        return new GroupRates(new WorkerRates(
            BetterMedian(workers, static load => load.PrefillRate, known, moreIsBetter: true) ?? Assumed.Prefill,
            BetterMedian(workers, static load => load.TransferRate, known, moreIsBetter: true) ?? Assumed.Transfer,
            BetterMedian(workers, static load => load.StepTime, known, moreIsBetter: false) ?? Assumed.Step));
    }

    /// <summary>A worker's rates.</summary>
    public WorkerRates For(WorkerSnapshot worker)
    {
        WorkerLoad load = worker.Load;
        return new WorkerRates(
            !IsKnown(load.PrefillRate) || (load.PrefillAge >= OldAge && load.PrefillRate < _median.Prefill) ? _median.Prefill : load.PrefillRate,
            !IsKnown(load.TransferRate) || (load.TransferAge >= OldAge && load.TransferRate < _median.Transfer) ? _median.Transfer : load.TransferRate,
            !IsKnown(load.StepTime) || (load.StepAge >= OldAge && load.StepTime > _median.Step) ? _median.Step : load.StepTime);
    }

    private static bool IsKnown(double measured) => measured > 0 && double.IsFinite(measured);

    // Of two in the middle the better one, so that of two workers the slow one gets its chance.
    private static double? BetterMedian(IReadOnlyList<WorkerSnapshot> workers, Func<WorkerLoad, double> rate, double[] known, bool moreIsBetter)
    {
        int count = 0;
        foreach (WorkerSnapshot worker in workers)
        {
            double measured = rate(worker.Load);
            if (IsKnown(measured))
            {
                known[count++] = measured;
            }
        }

        if (count == 0)
        {
            return null;
        }

        Array.Sort(known, 0, count);
        return known[moreIsBetter ? count / 2 : (count - 1) / 2];
    }
}
