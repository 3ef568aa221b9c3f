using LlmCluster.Cluster;
using LlmCluster.Cluster.Accounts;

namespace LlmCluster.Gateway.Access;

/// <summary>What an account was charged for a request, until it is known what the request used.</summary>
/// <param name="accounts">Where it was charged; null where nothing is limited.</param>
/// <param name="caller">Who was charged.</param>
/// <param name="tokens">The most tokens that the request can use.</param>
/// <param name="result">What the account has left.</param>
internal sealed class AccountCharge(IAccounts? accounts, Caller caller, long tokens, ChargeResult result)
{
    private int _settled;

    /// <summary>The most tokens that the request can use.</summary>
    public long Tokens => tokens;

    /// <summary>
    /// Gives back what was not used, once; later calls do nothing. Where the state can't be reached what would be given back is lost, so that an account never has more than its
    /// limits.
    /// </summary>
    /// <param name="usedTokens">Tokens of prompts and answers; null where that is not known: all of the charge stays.</param>
    public async ValueTask SettleAsync(long? usedTokens)
    {
        if (Interlocked.Exchange(ref _settled, 1) == 1 || accounts is null || usedTokens is not { } used || used >= tokens)
        {
            return;
        }

        try
        {
            // Not the request's token: who hangs up gets back what was not used as well. The call has a deadline of its own.
            await accounts.RefundAsync(caller.Account, caller.Limits, tokens - Math.Max(used, 0), CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is ClusterStateException or ObjectDisposedException)
        {
            // Whoever charges next finds out and says so.
        }
    }

    /// <summary>Tells the client its limits and what is left of them, in the headers that OpenAI uses.</summary>
    public void Tell(HttpResponse response) => response.OnStarting(() =>
    {
        AccountLimits limits = caller.Limits;
        if (limits.RequestsPerMinute > 0)
        {
            Tell(response, "requests", limits.RequestsPerMinute, result.RemainingRequests);
        }

        long most = (limits.TokensPerMinute, limits.TokenBudget) switch
        {
            (0, var budget) => budget,
            (var rate, 0) => rate,
            var (rate, budget) => Math.Min(rate, budget),
        };
        if (most > 0)
        {
            Tell(response, "tokens", most, result.RemainingTokens);
        }

        return Task.CompletedTask;
    });

    private static void Tell(HttpResponse response, string what, long limit, long remaining)
    {
        response.Headers[$"x-ratelimit-limit-{what}"] = limit.ToString(System.Globalization.CultureInfo.InvariantCulture);
        response.Headers[$"x-ratelimit-remaining-{what}"] = remaining.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }
}
