using System.Buffers;
using System.Globalization;
using System.Text.Json;
using LlmCluster.Api.Responses;
using Microsoft.AspNetCore.Http;

namespace LlmCluster.Api.Errors;

/// <summary>Writes errors in OpenAI's shape.</summary>
public static class ApiErrorWriter
{
    /// <summary>Seconds after which a client may try again when there was no room or no worker.</summary>
    private static readonly TimeSpan UsualRetryAfter = TimeSpan.FromSeconds(1);

    /// <summary>The error as UTF-8 JSON.</summary>
    public static byte[] ToJson(ApiError error)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer, ApiJson.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteStartObject("error"u8);
            json.WriteString("message"u8, error.Message);
            json.WriteString("type"u8, error.Type);
            json.WriteString("param"u8, error.Param);
            json.WriteString("code"u8, error.Code);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Answers with the error; the response must not have begun.</summary>
    public static async Task WriteAsync(HttpResponse response, ApiError error, CancellationToken cancellationToken = default)
    {
        byte[] body = ToJson(error);
        response.StatusCode = error.Status;
        response.ContentType = ApiJson.ContentType;
        response.ContentLength = body.Length;
        if ((error.RetryAfter ?? (error.Status == StatusCodes.Status503ServiceUnavailable ? UsualRetryAfter : null)) is { } wait)
        {
            response.Headers.RetryAfter = RetryAfterSeconds(wait);
        }

        if (error.Status == StatusCodes.Status401Unauthorized)
        {
            response.Headers.WWWAuthenticate = "Bearer";
        }

        await response.Body.WriteAsync(body, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A wait as the header has it: whole seconds, rounded up, at least one.</summary>
    public static string RetryAfterSeconds(TimeSpan wait) => Math.Max(Math.Ceiling(wait.TotalSeconds), 1).ToString("0", CultureInfo.InvariantCulture);

    /// <summary>The error as one server-sent event, for a stream that has begun.</summary>
    public static byte[] ToEvent(ApiError error) => [.. "data: "u8, .. ToJson(error), .. "\n\n"u8];
}
