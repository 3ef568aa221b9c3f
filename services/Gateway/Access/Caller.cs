using LlmCluster.Api.Requests;
using LlmCluster.Cluster.Accounts;

namespace LlmCluster.Gateway.Access;

/// <summary>Who asks, as the API key tells.</summary>
/// <param name="Class">Class of the requests.</param>
internal sealed record Caller(ServiceClass Class)
{
    private static readonly object Item = new();

    /// <summary>Whose key it is; null without a key: then the request says.</summary>
    public string? Tenant { get; init; }

    /// <summary>Account that is charged; empty without a key.</summary>
    public string Account { get; init; } = "";

    /// <summary>Limits of the account.</summary>
    public AccountLimits Limits { get; init; } = AccountLimits.None;

    /// <summary>The tenant's weight against others.</summary>
    public double Weight { get; init; } = 1;

    /// <summary>Whose request it is.</summary>
    public string TenantOf(GenerationParameters request) => Tenant ?? request.Tenant;

    /// <summary>Priority of a request: its own, but with a key never sooner than the class's.</summary>
    public int PriorityOf(GenerationParameters request)
    {
        int priority = request.Priority ?? Class.Options.Priority;
        return Tenant is null ? priority : Math.Max(priority, Class.Options.Priority);
    }

    /// <summary>Salt of the prefix cache. With a key it holds the tenant's name, so that blocks are shared within one tenant at most.</summary>
    public string CacheSaltOf(GenerationParameters request) => Tenant is null ? request.CacheSalt : $"{Tenant.Length}:{Tenant}|{request.CacheSalt}";

    /// <summary>Keeps the caller with its request.</summary>
    public void Attach(HttpContext context) => context.Items[Item] = this;

    /// <summary>The caller of a request that was let in.</summary>
    public static Caller Of(HttpContext context) => (Caller)context.Items[Item]!;
}
