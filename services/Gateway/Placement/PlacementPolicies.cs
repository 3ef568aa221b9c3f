using System.Diagnostics.CodeAnalysis;

namespace LlmCluster.Gateway.Placement;

/// <summary>The placement policies by name, as <c>Gateway:Placement</c> and <c>--placement</c> take them.</summary>
public static class PlacementPolicies
{
    /// <summary>The policy that is used unless another is asked for.</summary>
    public const string Default = "cost";

    private static readonly Dictionary<string, Func<IPlacementPolicy>> ByName = new(StringComparer.OrdinalIgnoreCase)
    {
        [Default] = static () => new CostPolicy(),
        ["round-robin"] = static () => new RoundRobinPolicy(),
        ["least-loaded"] = static () => new LeastLoadedPolicy(),
        ["power-of-two"] = static () => new PowerOfTwoPolicy(),
        ["prefix-affinity"] = static () => new PrefixAffinityPolicy(),
        ["least-predicted-load"] = static () => new LeastPredictedLoadPolicy(),
    };

    /// <summary>The names.</summary>
    public static IReadOnlyCollection<string> Names => ByName.Keys;

    /// <summary>Makes a policy, if there is one of that name.</summary>
    public static bool TryCreate(string name, [NotNullWhen(true)] out IPlacementPolicy? policy)
    {
        policy = ByName.TryGetValue(name, out Func<IPlacementPolicy>? create) ? create() : null;
        return policy is not null;
    }

    /// <summary>Makes a policy.</summary>
    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public static IPlacementPolicy Create(string name) => TryCreate(name, out IPlacementPolicy? policy)
        ? policy
        : throw new ArgumentException($"There is no placement policy '{name}'; expected one of {string.Join(", ", Names)}.", nameof(name));
}
