using System.Reflection;
using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>
/// Is told a service's methods by the bind method of its base class, and finds the service's own implementation of each
/// by name and signature, so that a new service object can serve each call.
/// </summary>
internal sealed class ServiceBinder<TService>(GrpcServer server) : ServiceBinderBase
    where TService : class
{
    private readonly ServiceActivator<TService> _activator = new();

    /// <summary>Each method with the attributes of its implementation and of the service, such as authorization.</summary>
    public List<(IMethod Method, RequestDelegate Handler, object[] Attributes)> Methods { get; } = [];

    public void Bind()
    {
        FindBindMethod().Invoke(null, [this, null]);
    }

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler)
    {
        var invoke = Find<UnaryInvoker<TService, TRequest, TResponse>>(method, typeof(TRequest), typeof(ServerCallContext));
        Add(method, invoke.Method, new UnaryHandler<TService, TRequest, TResponse>(server, _activator, method, invoke).HandleAsync);
    }

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse>? handler)
    {
        var invoke = Find<ClientStreamingInvoker<TService, TRequest, TResponse>>(
            method, typeof(IAsyncStreamReader<TRequest>), typeof(ServerCallContext));
        Add(method, invoke.Method, new ClientStreamingHandler<TService, TRequest, TResponse>(server, _activator, method, invoke).HandleAsync);
    }

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler)
    {
        var invoke = Find<ServerStreamingInvoker<TService, TRequest, TResponse>>(
            method, typeof(TRequest), typeof(IServerStreamWriter<TResponse>), typeof(ServerCallContext));
        Add(method, invoke.Method, new ServerStreamingHandler<TService, TRequest, TResponse>(server, _activator, method, invoke).HandleAsync);
    }

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler)
    {
        var invoke = Find<DuplexStreamingInvoker<TService, TRequest, TResponse>>(
            method, typeof(IAsyncStreamReader<TRequest>), typeof(IServerStreamWriter<TResponse>), typeof(ServerCallContext));
        Add(method, invoke.Method, new DuplexStreamingHandler<TService, TRequest, TResponse>(server, _activator, method, invoke).HandleAsync);
    }

    private static MethodInfo FindBindMethod()
    {
        for (Type? type = typeof(TService); type is not null; type = type.BaseType)
        {
            if (type.GetCustomAttribute<BindServiceMethodAttribute>(inherit: false) is { } attribute)
            {
                MethodInfo? bind = attribute.BindType.GetMethod(
                    attribute.BindMethodName,
                    BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic,
                    [typeof(ServiceBinderBase), type]);
                return bind is null
                    ? throw new InvalidOperationException(
                        $"{attribute.BindType.Name} has no static method {attribute.BindMethodName}(ServiceBinderBase, {type.Name}), "
                        + $"which the BindServiceMethod attribute of {type.Name} names.")
                    : bind;
            }
        }

        throw new InvalidOperationException(
            $"{typeof(TService).Name} is no gRPC service: neither it nor a base class has the BindServiceMethod attribute.");
    }

    private void Add(IMethod method, MethodInfo implementation, RequestDelegate handler) => Methods.Add(
        (method, handler, [.. typeof(TService).GetCustomAttributes(inherit: true), .. implementation.GetCustomAttributes(inherit: true)]));

    private static TInvoker Find<TInvoker>(IMethod method, params Type[] parameters)
        where TInvoker : Delegate
    {
        for (Type? type = typeof(TService); type is not null; type = type.BaseType)
        {
            MethodInfo? found = type.GetMethod(
                method.Name,
                BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly,
                parameters);
            if (found is not null)
            {
                return found.CreateDelegate<TInvoker>();
            }
        }

        throw new InvalidOperationException(
            $"{typeof(TService).Name} has no method {method.Name}({string.Join(", ", parameters.Select(type => type.Name))}) "
            + $"for the gRPC method {method.FullName}.");
    }
}
