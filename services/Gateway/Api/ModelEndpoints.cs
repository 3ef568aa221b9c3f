using System.Text.Json;
using System.Text.Json.Serialization;
using LlmCluster.Api.Errors;
using LlmCluster.Gateway.Models;

namespace LlmCluster.Gateway.Api;

/// <summary><c>/v1/models</c>.</summary>
internal sealed class ModelEndpoints(ServedModel model, ModelFacts facts)
{
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/models", () => Results.Json(new ModelList("list", [Describe()]), ModelJson.Default.ModelList));
        routes.MapGet("/v1/models/{**id}", (string id) => id == model.Name
            ? Results.Json(Describe(), ModelJson.Default.ModelCard)
            : throw ApiError.ModelNotFound(id, model.Name).ToException());
    }

    private ModelCard Describe() => new(model.Name, "model", model.Created.ToUnixTimeSeconds(), "llmcluster", facts.ContextLength);
}

internal sealed record ModelList(string Object, ModelCard[] Data);

/// <param name="Id">Name that clients ask for.</param>
/// <param name="Object">Kind of object.</param>
/// <param name="Created">Seconds since 1970.</param>
/// <param name="OwnedBy">Who serves it.</param>
/// <param name="MaxModelLen">Longest sequence in tokens; vLLM's addition.</param>
internal sealed record ModelCard(string Id, string Object, long Created, string OwnedBy, int MaxModelLen);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ModelList))]
internal sealed partial class ModelJson : JsonSerializerContext;
