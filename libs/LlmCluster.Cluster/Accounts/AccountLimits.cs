namespace LlmCluster.Cluster.Accounts;

/// <summary>What an account may use. 0: no such limit.</summary>
public sealed record AccountLimits
{
    /// <summary>No limits.</summary>
    public static readonly AccountLimits None = new();

    /// <summary>Requests in a minute; as many may come at once after a quiet minute.</summary>
    public int RequestsPerMinute { get; init; }

    /// <summary>Tokens of prompts and answers in a minute; as many may come at once after a quiet minute.</summary>
    public long TokensPerMinute { get; init; }

    /// <summary>Tokens of prompts and answers in each <see cref="BudgetPeriod"/>.</summary>
    public long TokenBudget { get; init; }

    /// <summary>After what time the budget is whole again; whole periods since 1970.</summary>
    public TimeSpan BudgetPeriod { get; init; } = TimeSpan.FromDays(1);

    /// <summary>Whether nothing is limited.</summary>
    public bool IsUnlimited => RequestsPerMinute == 0 && TokensPerMinute == 0 && TokenBudget == 0;
}
