using System.Net;
using System.Net.Http.Headers;

namespace LlmCluster.Tests.Unit.Grpc;

/// <summary>Calls made by hand over HTTP/2, to say what a proper client would not.</summary>
internal static class RawGrpc
{
    /// <summary>Posts a body and reads the whole response.</summary>
    public static async Task<HttpResponseMessage> SendAsync(
        string address, string path, byte[] body, params (string Name, string Value)[] headers)
    {
        using var client = new HttpClient { Timeout = ScriptedServer.Patience };
        using HttpRequestMessage request = Request(address, path, body, headers);
        return await client.SendAsync(request);
    }

    /// <summary>A request over plain HTTP/2, as gRPC unless the headers say otherwise.</summary>
    public static HttpRequestMessage Request(string address, string path, byte[] body, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, address + path)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body),
        };
        request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(
            headers.FirstOrDefault(header => header.Name == "content-type").Value ?? "application/grpc");
        foreach ((string name, string value) in headers.Where(header => header.Name != "content-type"))
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return request;
    }

    /// <summary>The grpc-status, wherever it is.</summary>
    public static string? Status(HttpResponseMessage response) =>
        response.Headers.TryGetValues("grpc-status", out IEnumerable<string>? values)
        || response.TrailingHeaders.TryGetValues("grpc-status", out values)
            ? values.Single()
            : null;
}
