namespace LlmCluster.Cluster.Accounts;

/// <summary>Checks what callers hand to accounts, the same way for each implementation.</summary>
internal static class AccountChecks
{
    /// <summary>Counts up to this are exact, and so is a sum of several, in the floating point that scripts in Redis reckon in.</summary>
    private const long Most = 1_000_000_000_000_000;

    private static readonly TimeSpan ShortestPeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPeriod = TimeSpan.FromDays(366);

    public static void Charge(string account, AccountLimits limits, long tokens)
    {
        Checks.Name(account);
        ArgumentNullException.ThrowIfNull(limits);
        Count(limits.RequestsPerMinute, nameof(limits.RequestsPerMinute));
        Count(limits.TokensPerMinute, nameof(limits.TokensPerMinute));
        Count(limits.TokenBudget, nameof(limits.TokenBudget));
        Checks.Require(
            limits.BudgetPeriod >= ShortestPeriod && limits.BudgetPeriod <= LongestPeriod,
            limits.BudgetPeriod,
            "It is between one second and 366 days.",
            nameof(limits.BudgetPeriod));
        Count(tokens, nameof(tokens));
    }

    public static void Service(string tenant, double service, IReadOnlyList<string> others)
    {
        Checks.Name(tenant);
        Checks.Require(double.IsFinite(service) && service >= 0, service, "It must be a number that is not negative.");
        ArgumentNullException.ThrowIfNull(others);
        foreach (string other in others)
        {
            Checks.Name(other, nameof(others));
        }
    }

    private static void Count(long value, string parameter) => Checks.Require(value is >= 0 and <= Most, value, $"It is between 0 and {Most}.", parameter);
}
