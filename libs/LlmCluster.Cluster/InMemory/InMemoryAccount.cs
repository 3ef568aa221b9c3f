using LlmCluster.Cluster.Accounts;

namespace LlmCluster.Cluster.InMemory;

/// <summary>
/// What one account has used: two levels that run empty within a minute, and the tokens of the budget's current period.
/// </summary>
internal sealed class InMemoryAccount
{
    private const double Minute = TimeSpan.TicksPerMinute;

    /// <summary>What a level may be too high by after a wait that was reckoned in floating point.</summary>
    private const double Tolerance = 1e-6;

    private double _requests;
    private double _tokens;
    private TimeSpan _at;
    private (long Window, TimeSpan Period) _window;
    private long _budget;

    /// <summary>Lets the levels run down to now, and begins a new period of the budget when it is time. A limit that was lowered is used up at most.</summary>
    public void Advance(AccountLimits limits, TimeSpan now, DateTimeOffset date)
    {
        double minutes = (now - _at).Ticks / Minute;
        _requests = Math.Clamp(_requests - (minutes * limits.RequestsPerMinute), 0, limits.RequestsPerMinute);
        _tokens = Math.Clamp(_tokens - (minutes * limits.TokensPerMinute), 0, limits.TokensPerMinute);
        _at = now;
        (long Window, TimeSpan Period) window = (SinceEpoch(date) / limits.BudgetPeriod.Ticks, limits.BudgetPeriod);
        if (_window != window)
        {
            _window = window;
            _budget = 0;
        }
    }

    public ChargeResult TryCharge(AccountLimits limits, long tokens, DateTimeOffset date)
    {
        ChargeRefusal refusal = ChargeRefusal.None;
        TimeSpan wait = TimeSpan.Zero;
        Ask(ChargeRefusal.Requests, WaitForLevel(_requests, 1, limits.RequestsPerMinute));
        Ask(ChargeRefusal.Tokens, WaitForLevel(_tokens, tokens, limits.TokensPerMinute));
        Ask(ChargeRefusal.Budget, WaitForBudget(limits, tokens, date));
        if (refusal == ChargeRefusal.None)
        {
            _requests += limits.RequestsPerMinute > 0 ? 1 : 0;
            _tokens += limits.TokensPerMinute > 0 ? tokens : 0;
            _budget += limits.TokenBudget > 0 ? tokens : 0;
        }

        return new ChargeResult(refusal, wait, Left(_requests, limits.RequestsPerMinute), LeftTokens(limits));

        void Ask(ChargeRefusal limit, TimeSpan longer)
        {
            if (longer > wait)
            {
                (refusal, wait) = (limit, longer);
            }
        }
    }

    public void Refund(long tokens)
    {
        _tokens = Math.Max(0, _tokens - tokens);
        _budget = Math.Max(0, _budget - tokens);
    }

    /// <summary>After what time nothing of it is worth knowing.</summary>
    public TimeSpan UntilUnused(AccountLimits limits, DateTimeOffset date)
    {
        TimeSpan levels = Max(Drain(_requests, limits.RequestsPerMinute), Drain(_tokens, limits.TokensPerMinute));
        return _budget > 0 ? Max(levels, UntilNextWindow(limits, date)) : levels;
    }

    private static TimeSpan WaitForLevel(double level, long cost, long limit)
    {
        if (limit == 0 || level + cost <= limit + Tolerance)
        {
            return TimeSpan.Zero;
        }

        return cost > limit ? TimeSpan.MaxValue : Drain(level + cost - limit, limit);
    }

    private static TimeSpan Drain(double amount, long limit) =>
        amount <= 0 || limit == 0 ? TimeSpan.Zero : TimeSpan.FromMicroseconds(Math.Ceiling(amount / limit * 60e6));

    private static long Left(double level, long limit) => Math.Max(0, (long)Math.Floor(limit - level + Tolerance));

    private static long SinceEpoch(DateTimeOffset date) => (date - DateTimeOffset.UnixEpoch).Ticks;

    private static TimeSpan UntilNextWindow(AccountLimits limits, DateTimeOffset date) =>
        TimeSpan.FromTicks(limits.BudgetPeriod.Ticks - (SinceEpoch(date) % limits.BudgetPeriod.Ticks));

    private static TimeSpan Max(TimeSpan first, TimeSpan second) => first > second ? first : second;

    private TimeSpan WaitForBudget(AccountLimits limits, long tokens, DateTimeOffset date)
    {
        if (limits.TokenBudget == 0 || _budget + tokens <= limits.TokenBudget)
        {
            return TimeSpan.Zero;
        }

        return tokens > limits.TokenBudget ? TimeSpan.MaxValue : UntilNextWindow(limits, date);
    }

    private long LeftTokens(AccountLimits limits)
    {
        long level = limits.TokensPerMinute > 0 ? Left(_tokens, limits.TokensPerMinute) : long.MaxValue;
        long budget = limits.TokenBudget > 0 ? Math.Max(0, limits.TokenBudget - _budget) : long.MaxValue;
        long left = Math.Min(level, budget);
        return left == long.MaxValue ? 0 : left;
    }
}
