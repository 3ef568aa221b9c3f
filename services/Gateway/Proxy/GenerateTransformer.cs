using LlmCluster.Api.Generate;
using LlmCluster.Gateway.Dispatch;
using Yarp.ReverseProxy.Forwarder;

namespace LlmCluster.Gateway.Proxy;

/// <summary>
/// Turns the client's request into the one that a worker gets. None of the client's headers go along: a worker has no
/// use for credentials or cookies.
/// </summary>
internal sealed class GenerateTransformer(string requestId) : HttpTransformer
{
    public override ValueTask TransformRequestAsync(
        HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        proxyRequest.RequestUri = RequestUtilities.MakeDestinationAddress(destinationPrefix, GenerateRequest.Path, QueryString.Empty);
        proxyRequest.Headers.TryAddWithoutValidation(PrefillLeg.RequestIdHeader, requestId);
        proxyRequest.Content!.Headers.TryAddWithoutValidation("content-type", httpContext.Request.ContentType);
        proxyRequest.Content.Headers.ContentLength = httpContext.Request.ContentLength;
        return ValueTask.CompletedTask;
    }

    public override async ValueTask<bool> TransformResponseAsync(
        HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        string? own = httpContext.Response.Headers[PrefillLeg.RequestIdHeader];
        bool copy = await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken).ConfigureAwait(false);

        // Ours is set already; the worker's would be a second value.
        httpContext.Response.Headers[PrefillLeg.RequestIdHeader] = own;
        return copy;
    }
}
