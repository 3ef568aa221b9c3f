using LlmCluster.Gateway.Access;

namespace LlmCluster.Gateway.Dispatch;

/// <summary>A request that is to be placed, through as many attempts as that takes. For one thread at a time.</summary>
/// <param name="plan">The request.</param>
/// <param name="class">Its class.</param>
/// <param name="arrived">Timestamp of its arrival.</param>
internal sealed class PlacementTask(RequestPlan plan, ServiceClass @class, long arrived)
{
    private int _reservations;

    public RequestPlan Plan => plan;

    public ServiceClass Class => @class;

    public long Arrived => arrived;

    /// <summary>The prompts as block hashes.</summary>
    public PromptHashes Hashes { get; } = new(plan.Local.Prompts, plan.Local.CacheSalt);

    /// <summary>Number of the request among all gateways'; 0 until it has one.</summary>
    public long Turn { get; set; }

    /// <summary>A name for the next reservation that is tried; none is used twice.</summary>
    public string NextReservationId() => $"{plan.Generate.RequestId}/{++_reservations}";
}
