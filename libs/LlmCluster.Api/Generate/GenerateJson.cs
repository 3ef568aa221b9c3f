using System.Text.Json;
using System.Text.Json.Serialization;
using LlmCluster.Api.Errors;

namespace LlmCluster.Api.Generate;

/// <summary>Writes and reads <see cref="GenerateRequest"/>.</summary>
public static class GenerateJson
{
    /// <summary>The request as UTF-8 JSON.</summary>
    public static byte[] Write(GenerateRequest request) => JsonSerializer.SerializeToUtf8Bytes(request, GenerateJsonContext.Default.GenerateRequest);

    /// <summary>Reads a request.</summary>
    /// <exception cref="ApiException">It is no such request.</exception>
    public static async ValueTask<GenerateRequest> ReadAsync(Stream body, CancellationToken cancellationToken)
    {
        try
        {
            GenerateRequest request = await JsonSerializer.DeserializeAsync(body, GenerateJsonContext.Default.GenerateRequest, cancellationToken).ConfigureAwait(false)
                ?? throw new JsonException("The body is null.");
            Check(request);
            return request;
        }
        catch (JsonException e)
        {
            throw ApiError.Invalid($"This is no request of a gateway: {e.Message}", code: ApiErrorCodes.InvalidJson).ToException(e);
        }
    }

    private static void Check(GenerateRequest request)
    {
        if (request.Sequences.Count == 0)
        {
            throw new JsonException("It has no sequences.");
        }

        if (request.Local?.FetchEndpoint is { } peer && !(peer.IsAbsoluteUri && peer.Scheme is ("http" or "https")))
        {
            throw new JsonException($"local.fetch_endpoint is '{peer}'; it must be an address like http://10.0.0.7:9001.");
        }

        for (int i = 0; i < request.Sequences.Count; i++)
        {
            GenerateSequence sequence = request.Sequences[i];
            if (sequence.Index != i || sequence.Prompt < 0 || (request.Local is { } local && sequence.Prompt >= local.Prompts.Count))
            {
                throw new JsonException($"Sequence {i} has index {sequence.Index} and prompt {sequence.Prompt}, which don't fit.");
            }
        }
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(GenerateRequest))]
internal sealed partial class GenerateJsonContext : JsonSerializerContext;
