using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Grpc.AspNetCore.Server.Internal;

internal static partial class ServerLog
{
    [LoggerMessage(1, LogLevel.Error, "Error when executing service method {Method}")]
    public static partial void HandlerFailed(this ILogger logger, Exception exception, string method);

    [LoggerMessage(2, LogLevel.Debug, "Service method {Method} ended with {StatusCode}: {Detail}")]
    public static partial void HandlerRefused(this ILogger logger, string method, StatusCode statusCode, string detail);

    [LoggerMessage(3, LogLevel.Debug, "The client of {Method} cancelled the call or went away")]
    public static partial void ClientCancelled(this ILogger logger, string method);

    [LoggerMessage(4, LogLevel.Debug, "The deadline of {Method} passed and the answer couldn't be sent")]
    public static partial void DeadlineAnswerFailed(this ILogger logger, Exception exception, string method);
}
