using System.Runtime.CompilerServices;

namespace LlmCluster.Cluster;

/// <summary>Checks what callers hand to a cluster state, the same way for each implementation.</summary>
internal static class Checks
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    public static void Name(string name, [CallerArgumentExpression(nameof(name))] string? parameter = null) =>
        ArgumentException.ThrowIfNullOrWhiteSpace(name, parameter);

    /// <summary>Leases and lifetimes are neither nothing nor so long that a dead owner's would be kept for ever.</summary>
    public static void Lifetime(TimeSpan value, [CallerArgumentExpression(nameof(value))] string? parameter = null) =>
        Require(value >= Shortest && value <= Longest, value, "It is between one millisecond and one hour.", parameter);

    public static void NotNegative(long value, [CallerArgumentExpression(nameof(value))] string? parameter = null) =>
        Require(value >= 0, value, "It must not be negative.", parameter);

    /// <exception cref="ArgumentOutOfRangeException">The condition does not hold.</exception>
    public static void Require(bool holds, object? value, string expected, [CallerArgumentExpression(nameof(value))] string? parameter = null)
    {
        if (!holds)
        {
            throw new ArgumentOutOfRangeException(parameter, value, expected);
        }
    }
}
