using System.Diagnostics.CodeAnalysis;
using Grpc.AspNetCore.Server.Internal;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps gRPC services to routes.</summary>
public static class GrpcEndpointRouteBuilderExtensions
{
    /// <summary>
    /// Maps every method of a service. The service derives from a class with a
    /// <see cref="Grpc.Core.BindServiceMethodAttribute"/> and comes from the app's services, or is made, for each call.
    /// </summary>
    public static GrpcServiceEndpointConventionBuilder MapGrpcService<
        [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.All)] TService>(this IEndpointRouteBuilder builder)
        where TService : class
    {
        ArgumentNullException.ThrowIfNull(builder);
        GrpcServer server = builder.ServiceProvider.GetService<GrpcServer>() ?? throw new InvalidOperationException(
            $"{typeof(TService).Name} can't be mapped: call services.AddGrpc() where the app's services are configured.");
        return new GrpcServiceEndpointConventionBuilder(server.Map<TService>(builder));
    }
}
