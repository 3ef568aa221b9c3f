using System.Globalization;
using LlmCluster.Cluster.Accounts;
using LlmCluster.Cluster.Redis.Scripts;
using StackExchange.Redis;

namespace LlmCluster.Cluster.Redis;

/// <summary>What accounts and tenants use, in Redis; <see cref="AccountScripts"/> has the format.</summary>
internal sealed class RedisAccounts(RedisScriptRunner scripts, RedisKeys names) : IAccounts
{
    private readonly RedisKey[] _tenants = names.Tenants();

    /// <inheritdoc/>
    public async ValueTask<ChargeResult> TryChargeAsync(
        string account, AccountLimits limits, long tokens, CancellationToken cancellationToken = default)
    {
        AccountChecks.Charge(account, limits, tokens);
        RedisValue[] values = await RunAsync("charge", account, limits, tokens, charge: true, cancellationToken).ConfigureAwait(false);
        long wait = (long)values[1];
        return new ChargeResult(
            (ChargeRefusal)(int)values[0],
            wait < 0 ? TimeSpan.MaxValue : TimeSpan.FromMicroseconds(wait),
            (long)values[2],
            (long)values[3]);
    }

    /// <inheritdoc/>
    public async ValueTask RefundAsync(string account, AccountLimits limits, long tokens, CancellationToken cancellationToken = default)
    {
        AccountChecks.Charge(account, limits, tokens);
        await RunAsync("give tokens back", account, limits, tokens, charge: false, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<double[]> AddServiceAsync(
        string tenant, double service, IReadOnlyList<string> others, CancellationToken cancellationToken = default)
    {
        AccountChecks.Service(tenant, service, others);
        RedisValue[] arguments =
        [
            tenant,
            service.ToString("R", CultureInfo.InvariantCulture),
            (long)Tenants.ActiveFor.TotalMilliseconds,
            .. others.Select(other => (RedisValue)other),
        ];
        RedisResult result = await scripts.RunAsync("count service", AccountScripts.AddService, _tenants, arguments, cancellationToken).ConfigureAwait(false);
        return [.. ((RedisValue[])result!).Select(counter => double.Parse((string)counter!, CultureInfo.InvariantCulture))];
    }

    private async Task<RedisValue[]> RunAsync(
        string what, string account, AccountLimits limits, long tokens, bool charge, CancellationToken cancellationToken)
    {
        RedisValue[] arguments =
        [
            tokens, limits.RequestsPerMinute, limits.TokensPerMinute, limits.TokenBudget, limits.BudgetPeriod.Ticks / TimeSpan.TicksPerMicrosecond, charge,
        ];
        RedisResult result = await scripts.RunAsync(what, AccountScripts.Charge, [names.Account(account)], arguments, cancellationToken).ConfigureAwait(false);
        return (RedisValue[])result!;
    }
}
