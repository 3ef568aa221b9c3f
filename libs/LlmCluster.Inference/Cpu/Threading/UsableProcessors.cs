namespace LlmCluster.Inference.Cpu.Threading;

/// <summary>How many threads of this process can compute at the same time.</summary>
public static class UsableProcessors
{
    /// <summary>
    /// The processors that this process may run on, hyper-threads counted, and no more than its container's CPU limit, rounded down: a thread
    /// more would use up the limit early and stop all of them for the rest of each period. At least 1.
    /// </summary>
    public static int Count { get; } = Within(Environment.ProcessorCount, OperatingSystem.IsLinux() ? CpuQuota.Read("/") : null);

    /// <summary>Whole processors within a limit.</summary>
    internal static int Within(int processors, double? quota) => Math.Max(1, (int)Math.Min(processors, Math.Floor(quota ?? processors)));
}
