using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>The gRPC services of one app.</summary>
internal sealed class GrpcServer(IOptions<GrpcServiceOptions> options, ILoggerFactory loggers)
{
    private bool _unknownServicesMapped;

    public ILogger Logger { get; } = loggers.CreateLogger("Grpc.AspNetCore.Server");

    public GrpcServiceOptions Options => options.Value;

    public IReadOnlyList<IEndpointConventionBuilder> Map<TService>(IEndpointRouteBuilder routes)
        where TService : class
    {
        var binder = new ServiceBinder<TService>(this);
        binder.Bind();
        if (binder.Methods.Count == 0)
        {
            throw new InvalidOperationException($"{typeof(TService).Name} has no gRPC methods.");
        }

        var mapped = new List<IEndpointConventionBuilder>();
        foreach ((IMethod method, RequestDelegate handler, object[] attributes) in binder.Methods)
        {
            mapped.Add(routes.MapPost(method.FullName, handler)
                .WithDisplayName($"gRPC - {method.FullName}")
                .WithMetadata([method, .. attributes]));
        }

        foreach (string service in binder.Methods.Select(bound => bound.Method.ServiceName).Distinct())
        {
            MapUnimplemented(routes, service + "/{method}", "method");
        }

        if (!_unknownServicesMapped)
        {
            _unknownServicesMapped = true;
            MapUnimplemented(routes, "{service}/{method}", "service");
        }

        return mapped;
    }

    /// <summary>Answers UNIMPLEMENTED to gRPC requests that match no method, and leaves all other requests alone.</summary>
    private static void MapUnimplemented(IEndpointRouteBuilder routes, string pattern, string constrained)
    {
        RoutePattern parsed = RoutePatternFactory.Parse(
            pattern, null, new RouteValueDictionary { [constrained] = new GrpcContentTypeConstraint() });
        routes.Map(parsed, static context => UnimplementedResponse.WriteAsync(context))
            .WithDisplayName($"gRPC - unimplemented - {pattern}")
            .WithMetadata(new HttpMethodMetadata([HttpMethods.Post]));
    }
}
