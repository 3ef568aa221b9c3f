using LlmCluster.Gateway.Dispatch;

namespace LlmCluster.Gateway.Api;

/// <summary>Gives each request its id, in the response's header and in every log line, and logs how it ended.</summary>
internal sealed partial class RequestLogging(RequestDelegate next, TimeProvider time, ILogger<RequestLogging> logger)
{
    private static readonly Func<ILogger, string, IDisposable?> Scope = LoggerMessage.DefineScope<string>("RequestId:{RequestId}");

    public async Task InvokeAsync(HttpContext context)
    {
        string id = RequestIds.Get(context);
        context.Response.Headers[PrefillLeg.RequestIdHeader] = id;
        long start = time.GetTimestamp();
        using IDisposable? scope = Scope(logger, id);
        try
        {
            await next(context).ConfigureAwait(false);
        }
        finally
        {
            double milliseconds = time.GetElapsedTime(start).TotalMilliseconds;
            if (context.RequestAborted.IsCancellationRequested)
            {
                LogHungUp(context.Request.Method, context.Request.Path, milliseconds);
            }
            else
            {
                LogEnded(context.Request.Method, context.Request.Path, context.Response.StatusCode, milliseconds);
            }
        }
    }
}
