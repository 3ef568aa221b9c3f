using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Core.Wire;

namespace Grpc.Net.Client.Internal;

/// <summary>Finds out from an HTTP response, or from the lack of one, how a call ended.</summary>
internal static class ResponseStatus
{
    private const long Http2NoError = 0x0;
    private const long Http2RefusedStream = 0x7;
    private const long Http2Cancel = 0x8;
    private const long Http2EnhanceYourCalm = 0xb;
    private const long Http2InadequateSecurity = 0xc;

    /// <summary>The status of a response that can't carry messages, or that says its status in the headers.</summary>
    public static Status? FromHeaders(HttpResponseMessage response)
    {
        if (TryGet(response.Headers, out Status status))
        {
            return status;
        }

        if (response.StatusCode != HttpStatusCode.OK)
        {
            return new Status(
                FromHttp(response.StatusCode), $"Bad gRPC response. HTTP status code: {(int)response.StatusCode}");
        }

        string? contentType = response.Content.Headers.ContentType?.ToString();
        return GrpcHeaders.IsGrpcContentType(contentType)
            ? CheckEncoding(response)
            : new Status(StatusCode.Unknown, $"Bad gRPC response. Content-Type is '{contentType}', expected '{GrpcHeaders.ContentType}'.");
    }

    /// <summary>The status in the trailers, once the body has ended.</summary>
    public static Status FromTrailers(HttpResponseMessage response) =>
        TryGet(response.TrailingHeaders, out Status status)
            ? status
            : new Status(StatusCode.Unknown, "The response ended without a grpc-status trailer.");

    public static Metadata ToMetadata(HttpResponseHeaders headers)
    {
        var metadata = new Metadata();
        foreach ((string name, HeaderStringValues values) in headers.NonValidated)
        {
            if (GrpcHeaders.IsMetadata(name))
            {
                foreach (string value in values)
                {
                    MetadataEncoding.Decode(metadata, name, value);
                }
            }
        }

        return metadata;
    }

    /// <summary>What a failure to send or receive means for the call.</summary>
    public static Status FromException(string doing, Exception exception)
    {
        if (exception is RpcException rpc)
        {
            return rpc.Status;
        }

        var code = StatusCode.Internal;
        for (Exception? e = exception; e is not null; e = e.InnerException)
        {
            if (e is HttpProtocolException protocol)
            {
                code = FromHttp2(protocol.ErrorCode);
                break;
            }

            if (e is OperationCanceledException && e.InnerException is not TimeoutException)
            {
                code = StatusCode.Cancelled;
            }
            else if (e is TimeoutException or SocketException or IOException or HttpRequestException or ObjectDisposedException)
            {
                code = StatusCode.Unavailable;
            }
        }

        return new Status(code, $"{doing}: {Describe(exception)}", exception);
    }

    /// <summary>The gRPC code for an HTTP status, as the protocol's table has it.</summary>
    public static StatusCode FromHttp(HttpStatusCode status) => status switch
    {
        HttpStatusCode.BadRequest => StatusCode.Internal,
        HttpStatusCode.Unauthorized => StatusCode.Unauthenticated,
        HttpStatusCode.Forbidden => StatusCode.PermissionDenied,
        HttpStatusCode.NotFound => StatusCode.Unimplemented,
        HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable
            or HttpStatusCode.GatewayTimeout => StatusCode.Unavailable,
        _ => StatusCode.Unknown,
    };

    /// <summary>The gRPC code for the error code of an HTTP/2 reset, as the protocol's table has it.</summary>
    public static StatusCode FromHttp2(long errorCode) => errorCode switch
    {
        Http2NoError => StatusCode.Internal,
        Http2RefusedStream => StatusCode.Unavailable,
        Http2Cancel => StatusCode.Cancelled,
        Http2EnhanceYourCalm => StatusCode.ResourceExhausted,
        Http2InadequateSecurity => StatusCode.PermissionDenied,
        _ => StatusCode.Internal,
    };

    private static Status? CheckEncoding(HttpResponseMessage response) =>
        response.Headers.NonValidated.TryGetValues(GrpcHeaders.Encoding, out HeaderStringValues values)
        && !values.ToString().Equals(GrpcHeaders.IdentityEncoding, StringComparison.OrdinalIgnoreCase)
            ? new Status(StatusCode.Internal, $"The response's messages are encoded as '{values}', which wasn't offered.")
            : null;

    private static bool TryGet(HttpResponseHeaders headers, out Status status)
    {
        if (!headers.NonValidated.TryGetValues(GrpcHeaders.Status, out HeaderStringValues values))
        {
            status = default;
            return false;
        }

        string text = values.ToString();
        string message = headers.NonValidated.TryGetValues(GrpcHeaders.Message, out HeaderStringValues messages)
            ? PercentEncoding.Decode(messages.ToString())
            : "";
        status = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int code)
            ? new Status(code <= (int)StatusCode.Unauthenticated ? (StatusCode)code : StatusCode.Unknown, message)
            : new Status(StatusCode.Unknown, $"The response's grpc-status is '{text}', which is no number.");
        return true;
    }

    private static string Describe(Exception exception)
    {
        string text = $"{exception.GetType().Name}: {exception.Message}";
        return exception.InnerException is { } inner ? $"{text} {Describe(inner)}" : text;
    }
}
