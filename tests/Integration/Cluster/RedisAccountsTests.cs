using LlmCluster.Cluster;
using LlmCluster.Cluster.Accounts;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Cluster;

public sealed class RedisAccountsTests(RedisFixture redis) : AccountsContract, IClassFixture<RedisFixture>
{
    [Fact]
    public async Task KeysGoWhenNothingIsUsedAnyMore()
    {
        var limits = new AccountLimits { RequestsPerMinute = 600, TokenBudget = 10, BudgetPeriod = TimeSpan.FromSeconds(1) };
        await First.Accounts.TryChargeAsync("a", limits, 10);
        await Eventually.TrueAsync(async () => (await redis.Server.RunAsync("--scan", "--pattern", $"{{{KeyPrefix}}}:account*")).Count == 0);
    }

    [Fact]
    public async Task ATenantThatWasIdleForFiveMinutesIsActiveNoMore()
    {
        await First.Accounts.AddServiceAsync("idle", 10, []);
        await First.Accounts.AddServiceAsync("active", 50, []);
        await AssertServiceAsync([60, 10], First.Accounts.AddServiceAsync("active", 0, ["idle"]));
        long before = DateTimeOffset.UtcNow.AddMinutes(-5).ToUnixTimeMilliseconds();
        await redis.Server.RunAsync("ZADD", $"{{{KeyPrefix}}}:service-seen", $"{before}", "idle");
        await AssertServiceAsync([60, 0], First.Accounts.AddServiceAsync("active", 0, ["idle"]));
        await AssertServiceAsync([61], First.Accounts.AddServiceAsync("idle", 1, []));
    }

    protected override ValueTask<(IClusterState First, IClusterState Second)> ConnectAsync() => ConnectAsync(redis.Server);
}
