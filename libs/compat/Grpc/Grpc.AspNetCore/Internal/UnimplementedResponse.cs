using Grpc.Core;
using Grpc.Core.Wire;
using Microsoft.AspNetCore.Http;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>The answer to a call of a method that isn't there.</summary>
internal static class UnimplementedResponse
{
    public static Task WriteAsync(HttpContext context)
    {
        context.Response.ContentType = GrpcHeaders.ContentType;
        ResponseEnd.Write(
            context.Response, new Status(StatusCode.Unimplemented, $"Method {context.Request.Path} is unimplemented."), null);
        return Task.CompletedTask;
    }
}
