using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlmCluster.Api.Responses;

/// <summary>How JSON is written to clients.</summary>
public static class ApiJson
{
    /// <summary>Content type of JSON answers.</summary>
    public const string ContentType = "application/json";

    /// <summary>Content type of streamed answers.</summary>
    public const string EventStreamContentType = "text/event-stream; charset=utf-8";

    /// <summary>
    /// Text goes out as UTF-8 rather than as escapes: answers are JSON documents of their own and never part of a web page.
    /// </summary>
    internal static JsonWriterOptions WriterOptions { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
