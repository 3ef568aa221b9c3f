using Grpc.Core;

namespace Grpc.AspNetCore.Server.Internal;

internal delegate Task<TResponse> UnaryInvoker<TService, TRequest, TResponse>(
    TService service, TRequest request, ServerCallContext context);

internal delegate Task<TResponse> ClientStreamingInvoker<TService, TRequest, TResponse>(
    TService service, IAsyncStreamReader<TRequest> requests, ServerCallContext context);

internal delegate Task ServerStreamingInvoker<TService, TRequest, TResponse>(
    TService service, TRequest request, IServerStreamWriter<TResponse> responses, ServerCallContext context);

internal delegate Task DuplexStreamingInvoker<TService, TRequest, TResponse>(
    TService service, IAsyncStreamReader<TRequest> requests, IServerStreamWriter<TResponse> responses, ServerCallContext context);

internal sealed class UnaryHandler<TService, TRequest, TResponse>(
    GrpcServer server,
    ServiceActivator<TService> activator,
    Method<TRequest, TResponse> method,
    UnaryInvoker<TService, TRequest, TResponse> invoke)
    : CallHandler<TService, TRequest, TResponse>(server, activator, method)
    where TService : class
    where TRequest : class
    where TResponse : class
{
    protected override async Task InvokeAsync(
        TService service, HttpServerCallContext context, RequestStreamReader<TRequest> requests, ResponseStreamWriter<TResponse> responses)
    {
        TRequest request = await ReadSingleAsync(requests).ConfigureAwait(false);
        await WriteSingleAsync(responses, await invoke(service, request, context).ConfigureAwait(false)).ConfigureAwait(false);
    }
}

internal sealed class ClientStreamingHandler<TService, TRequest, TResponse>(
    GrpcServer server,
    ServiceActivator<TService> activator,
    Method<TRequest, TResponse> method,
    ClientStreamingInvoker<TService, TRequest, TResponse> invoke)
    : CallHandler<TService, TRequest, TResponse>(server, activator, method)
    where TService : class
    where TRequest : class
    where TResponse : class
{
    protected override async Task InvokeAsync(
        TService service, HttpServerCallContext context, RequestStreamReader<TRequest> requests, ResponseStreamWriter<TResponse> responses) =>
        await WriteSingleAsync(responses, await invoke(service, requests, context).ConfigureAwait(false)).ConfigureAwait(false);
}

internal sealed class ServerStreamingHandler<TService, TRequest, TResponse>(
    GrpcServer server,
    ServiceActivator<TService> activator,
    Method<TRequest, TResponse> method,
    ServerStreamingInvoker<TService, TRequest, TResponse> invoke)
    : CallHandler<TService, TRequest, TResponse>(server, activator, method)
    where TService : class
    where TRequest : class
    where TResponse : class
{
    protected override async Task InvokeAsync(
        TService service, HttpServerCallContext context, RequestStreamReader<TRequest> requests, ResponseStreamWriter<TResponse> responses)
    {
        TRequest request = await ReadSingleAsync(requests).ConfigureAwait(false);
        await invoke(service, request, responses, context).ConfigureAwait(false);
    }
}

internal sealed class DuplexStreamingHandler<TService, TRequest, TResponse>(
    GrpcServer server,
    ServiceActivator<TService> activator,
    Method<TRequest, TResponse> method,
    DuplexStreamingInvoker<TService, TRequest, TResponse> invoke)
    : CallHandler<TService, TRequest, TResponse>(server, activator, method)
    where TService : class
    where TRequest : class
    where TResponse : class
{
    protected override Task InvokeAsync(
        TService service, HttpServerCallContext context, RequestStreamReader<TRequest> requests, ResponseStreamWriter<TResponse> responses) =>
        invoke(service, requests, responses, context);
}
