using LlmCluster.Cluster.Accounts;

namespace LlmCluster.Gateway.Access;

/// <summary>An API key and what comes with it. Configuration section <c>Gateway:Keys:N</c>.</summary>
public sealed record KeyOptions
{
    /// <summary>
    /// Name of the account that its requests are charged to: letters, digits, <c>-</c>, <c>_</c> and <c>.</c>. Keys of one name share the account and have the same limits, for
    /// example while one key replaces another. By default each key has an account of its own.
    /// </summary>
    public string? Name { get; init; }

    /// <summary>The key itself; or else <see cref="KeySha256"/>.</summary>
    public string? Key { get; init; }

    /// <summary>SHA-256 of the key's UTF-8 bytes as 64 hexadecimal digits, so that a file need hold no secret.</summary>
    public string? KeySha256 { get; init; }

    /// <summary>Whose key it is. Tenants share no cached prefixes, and the queue is fair between them.</summary>
    public string Tenant { get; init; } = "";

    /// <summary>Class of its requests.</summary>
    public string Class { get; init; } = ServiceClass.Default;

    /// <summary>Share of the tenant's service where tenants compete, relative to the others'.</summary>
    public double Weight { get; init; } = 1;

    /// <summary>Requests in a minute; 0: no limit.</summary>
    public int RequestsPerMinute { get; init; }

    /// <summary>Tokens of prompts and answers in a minute; 0: no limit.</summary>
    public long TokensPerMinute { get; init; }

    /// <summary>Tokens of prompts and answers in each <see cref="BudgetPeriod"/>; 0: no limit.</summary>
    public long TokenBudget { get; init; }

    /// <summary>After what time the budget is whole again; periods begin at whole multiples since 1970.</summary>
    public TimeSpan BudgetPeriod { get; init; } = TimeSpan.FromDays(1);

    /// <summary>Its limits.</summary>
    public AccountLimits Limits => new()
    {
        RequestsPerMinute = RequestsPerMinute,
        TokensPerMinute = TokensPerMinute,
        TokenBudget = TokenBudget,
        BudgetPeriod = BudgetPeriod,
    };
}
