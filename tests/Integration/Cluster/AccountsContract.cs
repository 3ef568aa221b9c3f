using LlmCluster.Cluster.Accounts;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Cluster;

/// <summary>What every <see cref="IAccounts"/> must do.</summary>
public abstract class AccountsContract : StateContract
{
    /// <summary>Long enough that it ends in no test, unless one runs at midnight of some day of the year.</summary>
    private static readonly TimeSpan Year = TimeSpan.FromDays(366);

    [Fact]
    public async Task WithoutLimitsEverythingIsAllowed() => Assert.Equal(
        new ChargeResult(ChargeRefusal.None, TimeSpan.Zero, 0, 0), await First.Accounts.TryChargeAsync("a", AccountLimits.None, 1_000_000_000_000));

    [Fact]
    public async Task RequestsAreLimitedAcrossGatewaysUntilTheWaitIsOver()
    {
        var limits = new AccountLimits { RequestsPerMinute = 300 };
        int allowed = 0;
        ChargeResult result;
        while ((result = await (allowed % 2 == 0 ? First : Second).Accounts.TryChargeAsync("a", limits, 5)).IsAllowed)
        {
            allowed++;
            Assert.Equal(0, result.RemainingTokens);
            Assert.Equal(TimeSpan.Zero, result.RetryAfter);
        }

        // A request more every 200 ms that the test takes.
        Assert.InRange(allowed, 300, 450);
        Assert.Equal(ChargeRefusal.Requests, result.Refusal);
        Assert.Equal(0, result.RemainingRequests);
        Assert.InRange(result.RetryAfter.TotalSeconds, 1e-6, 0.2);
        await Task.Delay(result.RetryAfter + TimeSpan.FromMilliseconds(5));
        Assert.True((await Second.Accounts.TryChargeAsync("a", limits, 5)).IsAllowed);
    }

    [Fact]
    public async Task TokensAreLimited()
    {
        var limits = new AccountLimits { TokensPerMinute = 600 };
        ChargeResult first = await First.Accounts.TryChargeAsync("a", limits, 500);
        Assert.Equal(new ChargeResult(ChargeRefusal.None, TimeSpan.Zero, 0, 100), first);
        ChargeResult second = await Second.Accounts.TryChargeAsync("a", limits, 300);
        Assert.Equal(ChargeRefusal.Tokens, second.Refusal);
        Assert.InRange(second.RetryAfter.TotalSeconds, 5, 20);
        Assert.InRange(second.RemainingTokens, 100, 250);
        ChargeResult never = await Second.Accounts.TryChargeAsync("a", limits, 601);
        Assert.Equal((ChargeRefusal.Tokens, TimeSpan.MaxValue), (never.Refusal, never.RetryAfter));
    }

    [Fact]
    public async Task ABudgetIsWholeAgainInTheNextPeriod()
    {
        var limits = new AccountLimits { TokenBudget = 100, BudgetPeriod = TimeSpan.FromSeconds(1) };
        ChargeResult refused = default;
        await Eventually.TrueAsync(async () =>
        {
            refused = await First.Accounts.TryChargeAsync("a", limits, 60);
            return !refused.IsAllowed;
        });
        Assert.Equal(ChargeRefusal.Budget, refused.Refusal);
        Assert.Equal(40, refused.RemainingTokens);
        Assert.InRange(refused.RetryAfter.TotalSeconds, 1e-6, 1);
        await Task.Delay(refused.RetryAfter + TimeSpan.FromMilliseconds(5));
        ChargeResult allowed = await Second.Accounts.TryChargeAsync("a", limits, 60);
        Assert.Equal(new ChargeResult(ChargeRefusal.None, TimeSpan.Zero, 0, 40), allowed);
    }

    [Fact]
    public async Task MoreThanABudgetNeverFits()
    {
        var limits = new AccountLimits { TokenBudget = 100, BudgetPeriod = Year };
        ChargeResult result = await First.Accounts.TryChargeAsync("a", limits, 101);
        Assert.Equal(new ChargeResult(ChargeRefusal.Budget, TimeSpan.MaxValue, 0, 100), result);
        Assert.True((await First.Accounts.TryChargeAsync("a", limits, 100)).IsAllowed);
    }

    [Fact]
    public async Task AChargeThatOneLimitRefusesUsesNoneAndNamesTheLongestWait()
    {
        var limits = new AccountLimits { RequestsPerMinute = 1, TokensPerMinute = 1000, TokenBudget = 500, BudgetPeriod = Year };
        Assert.Equal(ChargeRefusal.Budget, (await First.Accounts.TryChargeAsync("a", limits, 600)).Refusal);
        Assert.Equal(new ChargeResult(ChargeRefusal.None, TimeSpan.Zero, 0, 500), await First.Accounts.TryChargeAsync("a", limits, 0));
        ChargeResult requests = await First.Accounts.TryChargeAsync("a", limits, 400);
        Assert.Equal(ChargeRefusal.Requests, requests.Refusal);
        Assert.Equal(500, requests.RemainingTokens);
        Assert.InRange(requests.RetryAfter.TotalSeconds, 30, 60);
        ChargeResult budget = await First.Accounts.TryChargeAsync("a", limits, 501);
        Assert.Equal((ChargeRefusal.Budget, TimeSpan.MaxValue), (budget.Refusal, budget.RetryAfter));
    }

    [Fact]
    public async Task RefundedTokensCanBeChargedAgainAndNoMoreThanTheLimits()
    {
        var limits = new AccountLimits { TokensPerMinute = 1, TokenBudget = 100, BudgetPeriod = Year };
        var budget = limits with { TokensPerMinute = 0 };
        Assert.True((await First.Accounts.TryChargeAsync("a", budget, 80)).IsAllowed);
        await Second.Accounts.RefundAsync("a", budget, 30);
        Assert.Equal(10, (await First.Accounts.TryChargeAsync("a", budget, 40)).RemainingTokens);
        await Second.Accounts.RefundAsync("a", budget, 1000);
        await Second.Accounts.RefundAsync("unknown", budget, 1000);
        Assert.Equal(100, (await First.Accounts.TryChargeAsync("a", budget, 0)).RemainingTokens);
        Assert.Equal(100, (await First.Accounts.TryChargeAsync("unknown", budget, 0)).RemainingTokens);
        await First.Accounts.RefundAsync("b", limits, 50);
        Assert.Equal(0, (await First.Accounts.TryChargeAsync("b", limits, 1)).RemainingTokens);
        await First.Accounts.RefundAsync("b", limits, 1);
        Assert.Equal(1, (await First.Accounts.TryChargeAsync("b", limits, 0)).RemainingTokens);
    }

    [Fact]
    public async Task ARefundInALaterPeriodGivesNoMoreThanTheBudget()
    {
        var limits = new AccountLimits { TokenBudget = 100, BudgetPeriod = TimeSpan.FromSeconds(1) };
        Assert.True((await First.Accounts.TryChargeAsync("a", limits, 100)).IsAllowed);
        await Eventually.TrueAsync(async () => (await First.Accounts.TryChargeAsync("a", limits, 0)).RemainingTokens == 100);
        await First.Accounts.RefundAsync("a", limits, 100);
        Assert.Equal(100, (await First.Accounts.TryChargeAsync("a", limits, 0)).RemainingTokens);
    }

    [Fact]
    public async Task NamesMayHoldAnything()
    {
        string[] names = ["a", "A", "{a}", "}{", "a b\n*?[x]", "é", "a:b", new('k', 5000)];
        var limits = new AccountLimits { TokenBudget = 100, BudgetPeriod = Year };
        for (int i = 0; i < names.Length; i++)
        {
            Assert.Equal(100 - i, (await First.Accounts.TryChargeAsync(names[i], limits, i)).RemainingTokens);
            await First.Accounts.AddServiceAsync(names[i], i, []);
        }

        for (int i = 0; i < names.Length; i++)
        {
            Assert.Equal(100 - i, (await Second.Accounts.TryChargeAsync(names[i], limits, 0)).RemainingTokens);
        }

        await AssertServiceAsync([0, 1, 2, 3, 4, 5, 6, 7], Second.Accounts.AddServiceAsync(names[0], 0, names[1..]));
    }

    [Fact]
    public async Task ConcurrentChargesOfTwoGatewaysNeverPassABudget()
    {
        var limits = new AccountLimits { TokenBudget = 333, BudgetPeriod = Year };
        ChargeResult[] results = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => Task.Run(
            async () => await (i % 2 == 0 ? First : Second).Accounts.TryChargeAsync("a", limits, 10))));
        Assert.Equal(33, results.Count(result => result.IsAllowed));
        Assert.Equal(3, results.Min(result => result.RemainingTokens));
    }

    [Fact]
    public async Task ServiceIsCountedPerTenantAndATenantThatJoinsIsLiftedToTheLeast()
    {
        await AssertServiceAsync([0, 0], First.Accounts.AddServiceAsync("a", 0, ["b"]));
        await AssertServiceAsync([70.5], First.Accounts.AddServiceAsync("a", 70.5, []));
        await AssertServiceAsync([71, 70.5, 0], Second.Accounts.AddServiceAsync("b", 0.5, ["a", "unknown"]));
        await AssertServiceAsync([90.5, 71], Second.Accounts.AddServiceAsync("a", 20, ["b"]));
        await AssertServiceAsync([71, 90.5, 71], First.Accounts.AddServiceAsync("c", 0, ["a", "b"]));
    }

    [Fact]
    public async Task ConcurrentServiceIsAllCounted()
    {
        await Task.WhenAll(Enumerable.Range(0, 200).Select(i => Task.Run(
            async () => await (i % 2 == 0 ? First : Second).Accounts.AddServiceAsync("a", 0.25, []))));
        await AssertServiceAsync([50], First.Accounts.AddServiceAsync("a", 0, []));
    }

    [Fact]
    public async Task WrongArgumentsAreRefused()
    {
        AccountLimits[] wrong =
        [
            new() { RequestsPerMinute = -1 }, new() { TokensPerMinute = -1 }, new() { TokenBudget = -1 }, new() { TokenBudget = long.MaxValue },
            new() { BudgetPeriod = TimeSpan.Zero }, new() { BudgetPeriod = TimeSpan.FromDays(400) },
        ];
        foreach (AccountLimits limits in wrong)
        {
            await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Accounts.TryChargeAsync("a", limits, 1));
            await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Accounts.RefundAsync("a", limits, 1));
        }

        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Accounts.TryChargeAsync(" ", AccountLimits.None, 1));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Accounts.TryChargeAsync("a", AccountLimits.None, -1));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Accounts.RefundAsync("a", AccountLimits.None, -1));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Accounts.AddServiceAsync("", 1, []));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Accounts.AddServiceAsync("a", double.NaN, []));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Accounts.AddServiceAsync("a", -1, []));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Accounts.AddServiceAsync("a", 1, [""]));
        var cancelled = new CancellationToken(canceled: true);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await First.Accounts.TryChargeAsync("a", AccountLimits.None, 1, cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await First.Accounts.AddServiceAsync("a", 1, [], cancelled));
    }

    protected static async Task AssertServiceAsync(double[] expected, ValueTask<double[]> counters) => Assert.Equal(expected, await counters);
}
