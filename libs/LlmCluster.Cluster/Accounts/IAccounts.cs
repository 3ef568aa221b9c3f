namespace LlmCluster.Cluster.Accounts;

/// <summary>
/// What tenants and API keys use, right across all gateways. All members may be called from any thread; time is the state's.
/// </summary>
public interface IAccounts
{
    /// <summary>Charges one request and the tokens that it can use at most, if no limit is passed by it; else nothing.</summary>
    /// <param name="account">Name of the account.</param>
    /// <param name="limits">Its limits.</param>
    /// <param name="tokens">Tokens of prompt and answer.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ClusterStateException">The state can't be reached.</exception>
    ValueTask<ChargeResult> TryChargeAsync(string account, AccountLimits limits, long tokens, CancellationToken cancellationToken = default);

    /// <summary>Gives tokens of an earlier charge back that were not used. The account never has more than its limits.</summary>
    /// <param name="account">Name of the account.</param>
    /// <param name="limits">Its limits.</param>
    /// <param name="tokens">Tokens to give back; not negative.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ClusterStateException">The state can't be reached.</exception>
    ValueTask RefundAsync(string account, AccountLimits limits, long tokens, CancellationToken cancellationToken = default);

    /// <summary>
    /// Adds to a tenant's virtual counter and returns the counters of those named. A tenant that was not active is lifted to the least counter of the active ones
    /// first, so that idleness earns no credit (Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024).
    /// </summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="service">Service in weighted tokens; 0 to read.</param>
    /// <param name="others">Tenants whose counters are wanted besides.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The tenant's counter, then those of the others in their order; 0 for one that is not active.</returns>
    /// <exception cref="ClusterStateException">The state can't be reached.</exception>
    ValueTask<double[]> AddServiceAsync(string tenant, double service, IReadOnlyList<string> others, CancellationToken cancellationToken = default);
}
