using System.Runtime.CompilerServices;

namespace LlmCluster.Cluster;

/// <summary>Checks what callers hand to a cluster state, the same way for each implementation.</summary>
internal static class Heartbeats
{
    /// <summary>Longest lease: a worker that died must not be kept for longer than that.</summary>
    public static readonly TimeSpan LongestLease = TimeSpan.FromHours(1);

    public static void Check(WorkerSnapshot worker, TimeSpan lease)
    {
        ArgumentNullException.ThrowIfNull(worker);
        CheckName(worker.Info.Id);
        if (lease < TimeSpan.FromMilliseconds(1) || lease > LongestLease)
        {
            throw new ArgumentOutOfRangeException(nameof(lease), lease, "A lease is between one millisecond and one hour.");
        }
    }

    public static void CheckName(string name, [CallerArgumentExpression(nameof(name))] string? parameter = null) =>
        ArgumentException.ThrowIfNullOrWhiteSpace(name, parameter);
}
