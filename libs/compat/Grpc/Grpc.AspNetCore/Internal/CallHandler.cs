using Grpc.Core;
using Grpc.Core.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Serves the calls of one method: checks the request, runs the service, sends the status.</summary>
internal abstract class CallHandler<TService, TRequest, TResponse>(
    GrpcServer server, ServiceActivator<TService> activator, Method<TRequest, TResponse> method)
    where TService : class
    where TRequest : class
    where TResponse : class
{
    protected GrpcServer Server => server;

    protected Method<TRequest, TResponse> Method => method;

    public Task HandleAsync(HttpContext http)
    {
        if (RequestCheck.Refuse(http))
        {
            return Task.CompletedTask;
        }

        if (method.Type is MethodType.ClientStreaming or MethodType.DuplexStreaming)
        {
            LiftBodyLimits(http);
        }

        return HandleCallAsync(http);
    }

    /// <summary>Reads what the kind of call needs, runs the service's method and writes its response.</summary>
    protected abstract Task InvokeAsync(
        TService service, HttpServerCallContext context, RequestStreamReader<TRequest> requests, ResponseStreamWriter<TResponse> responses);

    protected async Task<TRequest> ReadSingleAsync(RequestStreamReader<TRequest> requests)
    {
        TRequest request = await requests.ReadAsync().ConfigureAwait(false) ?? throw new RpcException(
            new Status(StatusCode.Internal, $"{method.FullName} has one request, but the client sent none."));
        return request;
    }

    protected Task WriteSingleAsync(ResponseStreamWriter<TResponse> responses, TResponse? response) => response is null
        ? throw new RpcException(new Status(StatusCode.Cancelled, "No message returned from method."))
        : responses.WriteLastAsync(response);

    /// <summary>A stream may be open, and silent, for as long as it likes.</summary>
    private static void LiftBodyLimits(HttpContext http)
    {
        if (http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = null;
        }

        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null;
        }
    }

    private async Task HandleCallAsync(HttpContext http)
    {
        var context = new HttpServerCallContext(http, server, method.FullName);
        http.Response.ContentType = GrpcHeaders.ContentType;
        var requests = new RequestStreamReader<TRequest>(context, method.RequestMarshaller.ContextualDeserializer);
        TService? service = null;
        bool created = false;
        try
        {
            context.Start();
            service = activator.Create(http.RequestServices, out created);
            await InvokeAsync(
                service,
                context,
                requests,
                new ResponseStreamWriter<TResponse>(context, method.ResponseMarshaller.ContextualSerializer)).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            context.Fail(exception);
        }

        try
        {
            if (created)
            {
                await ServiceActivator<TService>.ReleaseAsync(service!).ConfigureAwait(false);
            }
        }
        catch (Exception exception)
        {
            context.Fail(exception);
        }

        await requests.StopAsync().ConfigureAwait(false);
        await context.EndAsync().ConfigureAwait(false);
    }
}
