using LlmCluster.Api.Errors;
using LlmCluster.Api.Generate;
using LlmCluster.Api.Responses;
using LlmCluster.Cluster;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Forwarder;

namespace LlmCluster.Gateway.Proxy;

/// <summary>How leg 2 ended.</summary>
/// <param name="Error">Null when the worker's answer, which may be an error of its own, went to the client whole.</param>
/// <param name="CanTell">Whether an error can still be told within a stream that has begun.</param>
internal readonly record struct DecodeOutcome(ApiError? Error, bool CanTell = false);

/// <summary>
/// Leg 2 of a request: forwards the client's own HTTP request to the worker that answers it, and its answer back,
/// unbuffered.
/// </summary>
internal sealed class DecodeLeg(IHttpForwarder forwarder, GatewayOptions options) : IDisposable
{
    private readonly HttpMessageInvoker _client = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        ConnectTimeout = options.ConnectTimeout,
        PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1),
        UseCookies = false,
        UseProxy = false,
    });

    private readonly ForwarderRequestConfig _config = new()
    {
        // The request's own deadline ends it, and comes first, so that the client is told of that; a worker may think for as long.
        ActivityTimeout = options.RequestTimeout + TimeSpan.FromMinutes(1),
        Version = System.Net.HttpVersion.Version11,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    /// <summary>Forwards the request, whose body has been read.</summary>
    public async Task<DecodeOutcome> ForwardAsync(
        HttpContext context, GenerateRequest request, WorkerInfo worker, string requestId, CancellationToken cancellationToken)
    {
        IFeatureCollection features = context.Features;
        IHttpRequestLifetimeFeature lifetime = features.GetRequiredFeature<IHttpRequestLifetimeFeature>();
        IHttpResetFeature? reset = features.Get<IHttpResetFeature>();
        Stream requestBody = context.Request.Body;
        Stream responseBody = context.Response.Body;
        var answer = new AnswerStream(responseBody);
        byte[] body = GenerateJson.Write(request);
        try
        {
            features.Set<IHttpRequestLifetimeFeature>(new HeldLifetime(lifetime.RequestAborted));
            features.Set<IHttpResetFeature>(null);
            context.Request.Body = new MemoryStream(body, writable: false);
            context.Request.ContentLength = body.Length;
            context.Request.ContentType = ApiJson.ContentType;
            context.Response.Body = answer;
            ForwarderError error = await forwarder.SendAsync(
                context,
                worker.HttpEndpoint.GetLeftPart(UriPartial.Authority),
                _client,
                _config,
                new GenerateTransformer(requestId),
                cancellationToken).ConfigureAwait(false);
            return error == ForwarderError.None
                ? default
                : new DecodeOutcome(Describe(context, worker, error), request.Options.Stream && answer.EndsWithWholeEvent);
        }
        finally
        {
            context.Response.Body = responseBody;
            context.Request.Body = requestBody;
            features.Set(reset);
            features.Set(lifetime);
        }
    }

    public void Dispose() => _client.Dispose();

    private static ApiError Describe(HttpContext context, WorkerInfo worker, ForwarderError error)
    {
        string reason = context.GetForwarderErrorFeature()?.Exception is { } e ? (e.InnerException ?? e).Message : error.ToString();
        return context.Response.HasStarted
            ? ApiError.Unavailable($"Worker {worker.Id} was lost while it answered: {reason}")
            : ApiError.Unavailable($"Worker {worker.Id} did not answer: {reason}");
    }
}
