using LlmCluster.Api.Generate;
using LlmCluster.Gateway.Dispatch;
using Microsoft.Net.Http.Headers;
using Yarp.ReverseProxy.Forwarder;

namespace LlmCluster.Gateway.Proxy;

/// <summary>
/// Turns the client's request into the one that a worker gets. None of the client's headers go along: a worker has no
/// use for credentials or cookies. Of the worker's answer, what it says of its use stays here.
/// </summary>
internal sealed class GenerateTransformer(string requestId) : HttpTransformer
{
    /// <summary>What the answer used; null as long as the worker did not say.</summary>
    public AnswerUsage? Usage { get; private set; }

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
        IHeaderDictionary headers = httpContext.Response.Headers;
        headers[PrefillLeg.RequestIdHeader] = own;
        headers.Remove(GenerateHeaders.Usage);
        headers.Remove(HeaderNames.Trailer);
        Usage = proxyResponse is null ? null : AnswerUsage.From(proxyResponse.Headers);
        return copy;
    }

    public override ValueTask TransformResponseTrailersAsync(
        HttpContext httpContext, HttpResponseMessage proxyResponse, CancellationToken cancellationToken)
    {
        Usage = AnswerUsage.From(proxyResponse.TrailingHeaders) ?? Usage;
        return ValueTask.CompletedTask;
    }
}
