using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>How fast a worker is, known or assumed.</summary>
/// <param name="Prefill">Prompt tokens that it computes in a second; above 0.</param>
/// <param name="Transfer">Bytes of K/V that it sends or receives in a second; above 0.</param>
/// <param name="Step">Seconds of a step in which sequences decode; above 0.</param>
internal readonly record struct WorkerRates(double Prefill, double Transfer, double Step);

/// <summary>
/// The rates of workers that can stand in for each other. What a worker has not measured yet is taken to be the median of what the others have, and a constant where
/// none has: a newcomer is neither shunned nor flooded.
/// </summary>
internal sealed class GroupRates
{
    // For a cluster that has computed nothing yet. Only their proportions matter, and only for the first requests.
    private static readonly WorkerRates Assumed = new(Prefill: 4000, Transfer: 1e9, Step: 0.03);

    private readonly WorkerRates _median;

    private GroupRates(WorkerRates median) => _median = median;

    /// <summary>The rates of these workers.</summary>
    public static GroupRates Of(IReadOnlyList<WorkerSnapshot> workers)
    {
        double[] known = new double[workers.Count];
        return new GroupRates(new WorkerRates(
            Median(workers, static load => load.PrefillRate, known, Assumed.Prefill),
            Median(workers, static load => load.TransferRate, known, Assumed.Transfer),
            Median(workers, static load => load.StepTime, known, Assumed.Step)));
    }

    /// <summary>A worker's rates.</summary>
    public WorkerRates For(WorkerSnapshot worker) => new(
        Known(worker.Load.PrefillRate, _median.Prefill),
        Known(worker.Load.TransferRate, _median.Transfer),
        Known(worker.Load.StepTime, _median.Step));

    private static double Known(double measured, double other) => IsKnown(measured) ? measured : other;

    private static bool IsKnown(double measured) => measured > 0 && double.IsFinite(measured);

    private static double Median(IReadOnlyList<WorkerSnapshot> workers, Func<WorkerLoad, double> rate, double[] known, double assumed)
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
            return assumed;
        }

        Array.Sort(known, 0, count);
        return known[count / 2];
    }
}
