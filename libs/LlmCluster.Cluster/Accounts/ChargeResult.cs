namespace LlmCluster.Cluster.Accounts;

/// <summary>Which limit a charge was refused by.</summary>
public enum ChargeRefusal
{
    /// <summary>None: it was charged.</summary>
    None,

    /// <summary><see cref="AccountLimits.RequestsPerMinute"/>.</summary>
    Requests,

    /// <summary><see cref="AccountLimits.TokensPerMinute"/>.</summary>
    Tokens,

    /// <summary><see cref="AccountLimits.TokenBudget"/>.</summary>
    Budget,
}

/// <summary>What came of a charge.</summary>
/// <param name="Refusal">The limit that it was refused by, and that would have it wait longest.</param>
/// <param name="RetryAfter">When the same charge may succeed, if nobody else charges; <see cref="TimeSpan.MaxValue"/>: never, as it is more than the limit itself.</param>
/// <param name="RemainingRequests">Requests that may come now; the limit itself where there is none: 0.</param>
/// <param name="RemainingTokens">Tokens that may be charged now, by the narrower of both limits of tokens; 0 where there is none.</param>
public readonly record struct ChargeResult(ChargeRefusal Refusal, TimeSpan RetryAfter, long RemainingRequests, long RemainingTokens)
{
    /// <summary>Whether the charge was made.</summary>
    public bool IsAllowed => Refusal == ChargeRefusal.None;
}
