using LlmCluster.Api.Errors;
using LlmCluster.Cluster.Accounts;
using LlmCluster.Gateway.Telemetry;

namespace LlmCluster.Gateway.Access;

/// <summary>Charges requests to the accounts of their keys, before they run, with the most that they can use: so that no limit is ever passed.</summary>
internal sealed class AccountCharges(SharedAccounts accounts)
{
    /// <summary>Charges a request.</summary>
    /// <param name="response">Is told the limits, whether they allow the request or not.</param>
    /// <param name="caller">Who asks.</param>
    /// <param name="promptTokens">Tokens of all prompts.</param>
    /// <param name="outputTokens">Most tokens of all answers.</param>
    /// <param name="hangUp">The client hung up: what was charged is given back.</param>
    /// <exception cref="OperationCanceledException">The client hung up.</exception>
    /// <exception cref="ApiException">A limit does not allow it: status 429, or 400 where it never can.</exception>
    public async ValueTask<AccountCharge> ChargeAsync(
        HttpResponse response, Caller caller, long promptTokens, long outputTokens, CancellationToken hangUp)
    {
        long tokens = promptTokens + outputTokens;
        if (caller.Limits.IsUnlimited)
        {
            return new AccountCharge(null, caller, tokens, default);
        }

        // Not ended by the client: whether a call that was broken off has charged would not be known. It has a deadline of its own.
        (ChargeResult result, IAccounts charged) = await accounts.TryChargeAsync(caller.Account, caller.Limits, tokens, CancellationToken.None).ConfigureAwait(false);
        var charge = new AccountCharge(charged, caller, tokens, result);
        if (hangUp.IsCancellationRequested)
        {
            await charge.SettleAsync(result.IsAllowed ? 0 : null).ConfigureAwait(false);
            hangUp.ThrowIfCancellationRequested();
        }

        charge.Tell(response);
        if (result.IsAllowed)
        {
            return charge;
        }

        ApiError error = LimitErrors.Describe(caller.Limits, result, promptTokens, outputTokens);
        GatewayMetrics.RefuseByLimit(result.Refusal, caller.Class.Name);
        GatewayMetrics.Reject(error.Code!, caller.Class.Name);
        throw error.ToException();
    }
}
