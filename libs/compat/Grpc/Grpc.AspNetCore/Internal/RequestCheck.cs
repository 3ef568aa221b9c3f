using Grpc.Core;
using Grpc.Core.Wire;
using Microsoft.AspNetCore.Http;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Refuses requests that are no gRPC calls, or that are encoded in a way that isn't supported.</summary>
internal static class RequestCheck
{
    /// <summary>Whether the request was refused; the response then says why.</summary>
    public static bool Refuse(HttpContext http)
    {
        if (!GrpcHeaders.IsGrpcContentType(http.Request.ContentType))
        {
            Answer(
                http, StatusCodes.Status415UnsupportedMediaType, StatusCode.Internal,
                $"Content-Type '{http.Request.ContentType}' is not supported; send '{GrpcHeaders.ContentType}'.");
            return true;
        }

        if (!HttpProtocol.IsHttp2(http.Request.Protocol) && !HttpProtocol.IsHttp3(http.Request.Protocol))
        {
            Answer(
                http, StatusCodes.Status426UpgradeRequired, StatusCode.Internal,
                $"Request protocol '{http.Request.Protocol}' is not supported; use HTTP/2.");
            http.Response.Headers.Upgrade = "h2c";
            return true;
        }

        string? encoding = http.Request.Headers[GrpcHeaders.Encoding];
        if (!string.IsNullOrEmpty(encoding)
            && !encoding.Equals(GrpcHeaders.IdentityEncoding, StringComparison.OrdinalIgnoreCase)
            && !encoding.Equals(GrpcHeaders.GzipEncoding, StringComparison.OrdinalIgnoreCase))
        {
            http.Response.Headers[GrpcHeaders.AcceptEncoding] = $"{GrpcHeaders.IdentityEncoding},{GrpcHeaders.GzipEncoding}";
            Answer(
                http, StatusCodes.Status200OK, StatusCode.Unimplemented,
                $"Unsupported grpc-encoding value '{encoding}'. Supported encodings: {GrpcHeaders.IdentityEncoding}, {GrpcHeaders.GzipEncoding}");
            return true;
        }

        return false;
    }

    private static void Answer(HttpContext http, int httpStatus, StatusCode code, string message)
    {
        http.Response.StatusCode = httpStatus;
        http.Response.ContentType = GrpcHeaders.ContentType;
        ResponseEnd.Write(http.Response, new Status(code, message), null);
    }
}
