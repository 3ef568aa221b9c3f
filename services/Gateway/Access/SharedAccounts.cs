using LlmCluster.Cluster;
using LlmCluster.Cluster.Accounts;
using LlmCluster.Gateway.Resilience;

namespace LlmCluster.Gateway.Access;

/// <summary>Accounts that all gateways share, and those that this gateway keeps alone while the others can't be reached.</summary>
/// <param name="shared">All gateways'.</param>
/// <param name="own">This gateway's.</param>
/// <param name="health">Whether the shared ones can be reached.</param>
internal sealed class SharedAccounts(IAccounts shared, IAccounts own, StateHealth health)
{
    /// <summary>Charges the shared account, or else this gateway's own, and says which: what is given back goes there.</summary>
    public async ValueTask<(ChargeResult Result, IAccounts Charged)> TryChargeAsync(
        string account, AccountLimits limits, long tokens, CancellationToken cancellationToken)
    {
        if (health.MayTry())
        {
            try
            {
                ChargeResult result = await shared.TryChargeAsync(account, limits, tokens, cancellationToken).ConfigureAwait(false);
                health.Succeeded();
                return (result, shared);
            }
            catch (ClusterStateException e)
            {
                health.Failed(e);
            }
        }

        return (await own.TryChargeAsync(account, limits, tokens, cancellationToken).ConfigureAwait(false), own);
    }
}
