namespace LlmCluster.Gateway.Resilience;

/// <summary>How long to wait before the same worker is tried again.</summary>
internal static class RetryDelay
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(2);

    /// <summary>Doubles with each attempt up to a limit; half of it is drawn, so that requests don't come back all at once.</summary>
    /// <param name="attempt">The attempt that failed, from 1.</param>
    /// <param name="draw">A number from 0 to 1.</param>
    public static TimeSpan After(int attempt, double draw)
    {
        double full = Math.Min(First.TotalMilliseconds * Math.Pow(2, Math.Min(attempt - 1, 16)), Longest.TotalMilliseconds);
        return TimeSpan.FromMilliseconds(full * (0.5 + (draw / 2)));
    }
}
