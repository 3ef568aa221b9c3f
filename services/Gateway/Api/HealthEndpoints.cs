using System.Text.Json.Serialization;
using LlmCluster.Cluster;
using LlmCluster.Gateway.Models;
using LlmCluster.Gateway.Placement;

namespace LlmCluster.Gateway.Api;

/// <summary><c>/health</c>: the process is up. <c>/ready</c>: a request could be placed now.</summary>
internal sealed class HealthEndpoints(ServedModel model, IPlacementPolicy policy, ClusterView view)
{
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/health", () => Results.Json(new HealthState("ok", null), HealthJson.Default.HealthState));
        routes.MapGet("/ready", () =>
        {
            PlacementResult result = policy.Place(new PlacementRequest(model.Name, PromptTokens: 1, Sequences: 1, Turn: 1), view.Workers);
            return result.Placement is not null
                ? Results.Json(new HealthState("ready", null), HealthJson.Default.HealthState)
                : Results.Json(new HealthState("not ready", result.Reason), HealthJson.Default.HealthState, statusCode: StatusCodes.Status503ServiceUnavailable);
        });
    }
}

/// <param name="Status">The state in a word.</param>
/// <param name="Reason">Why it is not ready.</param>
internal sealed record HealthState(string Status, string? Reason);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(HealthState))]
internal sealed partial class HealthJson : JsonSerializerContext;
