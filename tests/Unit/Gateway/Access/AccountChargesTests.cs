using LlmCluster.Api.Errors;
using LlmCluster.Cluster;
using LlmCluster.Cluster.Accounts;
using LlmCluster.Cluster.InMemory;
using LlmCluster.Gateway.Access;
using LlmCluster.Gateway.Resilience;
using LlmCluster.Testing;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace LlmCluster.Tests.Unit.Gateway.Access;

public sealed class AccountChargesTests : IAsyncDisposable
{
    private readonly ManualTime _time = new();
    private readonly InMemoryClusterState _state;
    private readonly InMemoryClusterState _own;
    private readonly Outage _shared;
    private readonly StateHealth _health;
    private readonly AccountCharges _charges;

    public AccountChargesTests()
    {
        (_state, _own) = (new InMemoryClusterState(_time), new InMemoryClusterState(_time));
        _shared = new Outage(_state.Accounts);
        _health = new StateHealth(_time, NullLogger<StateHealth>.Instance);
        _charges = new AccountCharges(new SharedAccounts(_shared, _own.Accounts, _health));
    }

    public async ValueTask DisposeAsync()
    {
        _health.Dispose();
        await _state.DisposeAsync();
        await _own.DisposeAsync();
    }

    [Fact]
    public async Task Gives_back_what_was_not_used_once()
    {
        Caller caller = NewCaller(new AccountLimits { TokenBudget = 100 });
        AccountCharge charge = await ChargeAsync(caller, 30, 70);
        Assert.Equal(ApiErrorCodes.InsufficientQuota, (await RefusedAsync(caller, 1, 0)).Code);

        await charge.SettleAsync(60);
        await charge.SettleAsync(0);

        AccountCharge second = await ChargeAsync(caller, 40, 0);
        await RefusedAsync(caller, 1, 0);

        // Not known: all of it stays.
        await second.SettleAsync(null);
        await RefusedAsync(caller, 1, 0);
    }

    [Fact]
    public async Task Says_which_limit_how_large_and_when_again()
    {
        Caller requests = NewCaller(new AccountLimits { RequestsPerMinute = 2 });
        await ChargeAsync(requests, 1, 1);
        await ChargeAsync(requests, 1, 1);
        ApiError error = await RefusedAsync(requests, 1, 1);
        Assert.Equal((429, "requests", "rate_limit_exceeded", TimeSpan.FromSeconds(30)), (error.Status, error.Type, error.Code, error.RetryAfter));
        Assert.Equal("The API key's limit of 2 requests per minute is reached. Try again in 30 s.", error.Message);

        Caller tokens = NewCaller(new AccountLimits { TokensPerMinute = 600 });
        await ChargeAsync(tokens, 500, 50);
        error = await RefusedAsync(tokens, 100, 100);
        Assert.Equal((429, "tokens", "rate_limit_exceeded", TimeSpan.FromSeconds(15)), (error.Status, error.Type, error.Code, error.RetryAfter));
        Assert.Equal("The API key's limit of 600 tokens per minute is reached: 50 are left and the request asks for 200 (100 of the prompt and at most 100 of the answer). Try again in 15 s.", error.Message);

        Caller budget = NewCaller(new AccountLimits { TokenBudget = 10, BudgetPeriod = TimeSpan.FromHours(1) });
        _time.Advance(TimeSpan.FromMinutes(45));
        await ChargeAsync(budget, 5, 5);
        error = await RefusedAsync(budget, 1, 0);
        Assert.Equal((429, "insufficient_quota", "insufficient_quota", TimeSpan.FromMinutes(15)), (error.Status, error.Type, error.Code, error.RetryAfter));
        Assert.StartsWith("The API key's budget of 10 tokens per hour is used up: 0 are left", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_can_never_be_served_is_no_matter_of_waiting()
    {
        ApiError error = await RefusedAsync(NewCaller(new AccountLimits { TokensPerMinute = 50, TokenBudget = 1000 }), 20, 31);

        Assert.Equal((400, "request_above_limit", null), (error.Status, error.Code, error.RetryAfter));
        Assert.Contains("50 tokens per minute, but the request asks for 51 (20 of the prompt and at most 31 of the answer): it can never be served", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_hangs_up_meanwhile_is_not_charged()
    {
        Caller caller = NewCaller(new AccountLimits { TokenBudget = 10 });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await _charges.ChargeAsync(new DefaultHttpContext().Response, caller, 5, 5, new CancellationToken(true)));

        await ChargeAsync(caller, 5, 5);
    }

    [Fact]
    public async Task Each_gateway_limits_alone_while_the_state_is_away()
    {
        Caller caller = NewCaller(new AccountLimits { TokenBudget = 10 });
        AccountCharge before = await ChargeAsync(caller, 5, 0);
        _shared.Away = true;

        AccountCharge meanwhile = await ChargeAsync(caller, 5, 5);
        Assert.True(_health.IsDegraded);
        Assert.Equal(429, (await RefusedAsync(caller, 1, 0)).Status);

        // One call a second tries the state; the others do without at once.
        Assert.Equal(2, _shared.Calls);
        _time.Advance(TimeSpan.FromSeconds(1));
        await RefusedAsync(caller, 1, 0);
        await RefusedAsync(caller, 1, 0);
        Assert.Equal(3, _shared.Calls);

        await before.SettleAsync(0);
        _shared.Away = false;
        _time.Advance(TimeSpan.FromSeconds(1));

        // What was charged here is given back here, and what could not be given back is lost: no account has more than its limit.
        await meanwhile.SettleAsync(0);
        await ChargeAsync(caller, 5, 0);
        Assert.False(_health.IsDegraded);
        await RefusedAsync(caller, 1, 0);
    }

    private static Caller NewCaller(AccountLimits limits) =>
        new(new ServiceClass("c", new ClassOptions())) { Tenant = "t", Account = Guid.NewGuid().ToString("N"), Limits = limits };

    private ValueTask<AccountCharge> ChargeAsync(Caller caller, long prompt, long output) =>
        _charges.ChargeAsync(new DefaultHttpContext().Response, caller, prompt, output, CancellationToken.None);

    private async Task<ApiError> RefusedAsync(Caller caller, long prompt, long output) =>
        (await Assert.ThrowsAsync<ApiException>(async () => await ChargeAsync(caller, prompt, output))).Error;

    /// <summary>Accounts that can be out of reach.</summary>
    private sealed class Outage(IAccounts inner) : IAccounts
    {
        public bool Away { get; set; }

        public int Calls { get; private set; }

        public ValueTask<ChargeResult> TryChargeAsync(string account, AccountLimits limits, long tokens, CancellationToken cancellationToken = default)
        {
            Calls++;
            return Reach().TryChargeAsync(account, limits, tokens, cancellationToken);
        }

        public ValueTask RefundAsync(string account, AccountLimits limits, long tokens, CancellationToken cancellationToken = default) =>
            Reach().RefundAsync(account, limits, tokens, cancellationToken);

        public ValueTask<double[]> AddServiceAsync(string tenant, double service, IReadOnlyList<string> others, CancellationToken cancellationToken = default) =>
            Reach().AddServiceAsync(tenant, service, others, cancellationToken);

        private IAccounts Reach() => Away ? throw new ClusterStateException("It is away.") : inner;
    }
}
