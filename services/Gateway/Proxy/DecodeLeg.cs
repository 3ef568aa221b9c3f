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
internal readonly record struct DecodeOutcome(ApiError? Error, bool CanTell = false)
{
    /// <summary>What the answer used; null when the worker did not come to say so.</summary>
    public AnswerUsage? Usage { get; init; }

    /// <summary>Timestamp, by the gateway's clock, of the first byte of a streamed answer; null when there was none.</summary>
    public long? FirstByte { get; init; }
}

/// <summary>
/// Leg 2 of a request: forwards the client's own HTTP request to the worker that answers it, and its answer back,
/// unbuffered.
/// </summary>
internal sealed class DecodeLeg(IHttpForwarder forwarder, GatewayOptions options, TimeProvider time) : IDisposable
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
    /// <param name="context">The client's request.</param>
    /// <param name="request">What the worker is asked.</param>
    /// <param name="worker">The worker.</param>
    /// <param name="requestId">Identity in logs.</param>
    /// <param name="cancellationToken">Ends the leg.</param>
    /// <param name="onFirstByte">Called once when a streamed answer begins, that is, when its prompt is computed; must return at once.</param>
    public async Task<DecodeOutcome> ForwardAsync(
        HttpContext context, GenerateRequest request, WorkerInfo worker, string requestId, CancellationToken cancellationToken, Action? onFirstByte = null)
    {
        IFeatureCollection features = context.Features;
        IHttpRequestLifetimeFeature lifetime = features.GetRequiredFeature<IHttpRequestLifetimeFeature>();
        IHttpResetFeature? reset = features.Get<IHttpResetFeature>();
        Stream requestBody = context.Request.Body;
        Stream responseBody = context.Response.Body;
        bool isStream = request.Options.Stream;
        var answer = new AnswerStream(responseBody, time, () =>
        {
            // An error begins, too.
            if (isStream && context.Response.StatusCode == StatusCodes.Status200OK)
            {
                onFirstByte?.Invoke();
            }
        });
        var transformer = new GenerateTransformer(requestId);
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
                transformer,
                cancellationToken).ConfigureAwait(false);
            var outcome = error == ForwarderError.None
                ? default
                : new DecodeOutcome(Describe(context, worker, error), isStream && answer.EndsWithWholeEvent);
            return outcome with
            {
                Usage = transformer.Usage,
                FirstByte = isStream && context.Response.StatusCode == StatusCodes.Status200OK ? answer.FirstWrite : null,
            };
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
