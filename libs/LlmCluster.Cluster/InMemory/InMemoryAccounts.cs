using LlmCluster.Cluster.Accounts;

namespace LlmCluster.Cluster.InMemory;

/// <summary>What tenants and keys use, within one process.</summary>
internal sealed class InMemoryAccounts(InMemoryMembers members, TimeProvider time) : IAccounts
{
    private readonly Dictionary<string, InMemoryAccount> _accounts = new(StringComparer.Ordinal);
    private readonly Deadlines _accountEnds = new();
    private readonly Dictionary<string, double> _service = new(StringComparer.Ordinal);
    private readonly Deadlines _serviceEnds = new();

    /// <inheritdoc/>
    public ValueTask<ChargeResult> TryChargeAsync(
        string account, AccountLimits limits, long tokens, CancellationToken cancellationToken = default)
    {
        AccountChecks.Charge(account, limits, tokens);
        cancellationToken.ThrowIfCancellationRequested();
        lock (members.Lock)
        {
            InMemoryAccount use = Refresh(account, limits);
            ChargeResult result = use.TryCharge(limits, tokens, time.GetUtcNow());
            Keep(account, use, limits);
            return ValueTask.FromResult(result);
        }
    }

    /// <inheritdoc/>
    public ValueTask RefundAsync(string account, AccountLimits limits, long tokens, CancellationToken cancellationToken = default)
    {
        AccountChecks.Charge(account, limits, tokens);
        cancellationToken.ThrowIfCancellationRequested();
        lock (members.Lock)
        {
            InMemoryAccount use = Refresh(account, limits);
            use.Refund(tokens);
            Keep(account, use, limits);
        }

        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask<double[]> AddServiceAsync(
        string tenant, double service, IReadOnlyList<string> others, CancellationToken cancellationToken = default)
    {
        AccountChecks.Service(tenant, service, others);
        cancellationToken.ThrowIfCancellationRequested();
        lock (members.Lock)
        {
            members.Refresh();
            while (_serviceEnds.TryTake(members.Now, out string idle))
            {
                _service.Remove(idle);
            }

            if (!_service.TryGetValue(tenant, out double counter))
            {
                counter = _service.Count == 0 ? 0 : _service.Values.Min();
            }

            _service[tenant] = counter + service;
            _serviceEnds.Set(tenant, members.Now + Tenants.ActiveFor);
            return ValueTask.FromResult<double[]>([counter + service, .. others.Select(other => _service.GetValueOrDefault(other))]);
        }
    }

    private InMemoryAccount Refresh(string account, AccountLimits limits)
    {
        members.Refresh();
        while (_accountEnds.TryTake(members.Now, out string unused))
        {
            _accounts.Remove(unused);
        }

        InMemoryAccount use = _accounts.GetValueOrDefault(account) ?? new InMemoryAccount();
        use.Advance(limits, members.Now, time.GetUtcNow());
        return use;
    }

    private void Keep(string account, InMemoryAccount use, AccountLimits limits)
    {
        TimeSpan untilUnused = use.UntilUnused(limits, time.GetUtcNow());
        if (untilUnused > TimeSpan.Zero)
        {
            _accounts[account] = use;
            _accountEnds.Set(account, members.Now + untilUnused);
        }
        else
        {
            _accounts.Remove(account);
            _accountEnds.Remove(account);
        }
    }
}
