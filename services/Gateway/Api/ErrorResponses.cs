using LlmCluster.Api.Errors;

namespace LlmCluster.Gateway.Api;

/// <summary>Answers whatever goes wrong in OpenAI's shape, unknown paths and methods included.</summary>
internal sealed partial class ErrorResponses(RequestDelegate next, ILogger<ErrorResponses> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context).ConfigureAwait(false);
            await TellUnansweredAsync(context).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody is left to be told.
        }
        catch (ApiException e)
        {
            await TellAsync(context, e.Error).ConfigureAwait(false);
        }
        catch (BadHttpRequestException e)
        {
            await TellAsync(context, new ApiError(e.StatusCode, e.Message, ApiErrorTypes.InvalidRequest)).ConfigureAwait(false);
        }
        catch (IOException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client hung up while it was written to or read from.
        }
        catch (Exception e)
        {
            LogUnexpected(e);
            await TellAsync(context, ApiError.Internal($"The gateway failed; its log has the details under request id {RequestIds.Get(context)}.")).ConfigureAwait(false);
        }
    }

    private static Task TellUnansweredAsync(HttpContext context)
    {
        HttpResponse response = context.Response;
        if (response.HasStarted || response.ContentLength is not null || response.ContentType is not null)
        {
            return Task.CompletedTask;
        }

        return response.StatusCode switch
        {
            StatusCodes.Status404NotFound => ApiErrorWriter.WriteAsync(response, ApiError.UnknownRoute(context.Request.Method, context.Request.Path)),
            StatusCodes.Status405MethodNotAllowed => ApiErrorWriter.WriteAsync(response, ApiError.WrongMethod(context.Request.Method, context.Request.Path)),
            _ => Task.CompletedTask,
        };
    }

    private static async Task TellAsync(HttpContext context, ApiError error)
    {
        if (context.Response.HasStarted)
        {
            context.Abort();
            return;
        }

        string? connection = context.Response.Headers.Connection;
        string? requestId = context.Response.Headers[Dispatch.PrefillLeg.RequestIdHeader];
        string? placement = context.Response.Headers[Dispatch.PlacementHeader.Name];
        context.Response.Clear();
        context.Response.Headers.Connection = connection;
        context.Response.Headers[Dispatch.PrefillLeg.RequestIdHeader] = requestId;
        context.Response.Headers[Dispatch.PlacementHeader.Name] = placement;
        await ApiErrorWriter.WriteAsync(context.Response, error, context.RequestAborted).ConfigureAwait(false);
    }

    [LoggerMessage(LogLevel.Error, "A request failed in a way that was not foreseen")]
    private partial void LogUnexpected(Exception exception);
}
