using LlmCluster.Api.Errors;
using LlmCluster.Api.Generate;
using LlmCluster.Inference.Tokenization;
using LlmCluster.Worker.Sequences;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace LlmCluster.Worker.Generate;

/// <summary>Where a worker answers clients, by way of a gateway: leg 2 of a request.</summary>
public static class GenerateEndpoint
{
    private const string RequestIdHeader = "x-request-id";

    private static readonly Func<ILogger, string, IDisposable?> Scope = LoggerMessage.DefineScope<string>("RequestId:{RequestId}");

    /// <summary>
    /// Maps <c>POST /internal/generate</c>. Needs <see cref="ISequenceSource"/> and <see cref="ITokenizer"/> as services.
    /// </summary>
    public static IEndpointRouteBuilder MapGenerate(this IEndpointRouteBuilder routes)
    {
        IServiceProvider services = routes.ServiceProvider;
        var handler = new GenerateHandler(
            services.GetRequiredService<ISequenceSource>(),
            services.GetRequiredService<ITokenizer>(),
            services.GetRequiredService<ILogger<GenerateHandler>>());
        routes.MapPost(GenerateRequest.Path, context => HandleAsync(context, handler));
        return routes;
    }

    private static async Task HandleAsync(HttpContext context, GenerateHandler handler)
    {
        string requestId = context.Request.Headers[RequestIdHeader].ToString();
        using IDisposable? scope = Scope(handler.Logger, requestId);
        try
        {
            // Prompts are measured by the gateway, whose limit is the only one.
            if (context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            {
                size.MaxRequestBodySize = null;
            }

            GenerateRequest request = await GenerateJson.ReadAsync(context.Request.Body, context.RequestAborted).ConfigureAwait(false);
            await handler.AnswerAsync(context.Response, request, context.RequestAborted).ConfigureAwait(false);
        }
        catch (ApiException e) when (!context.Response.HasStarted)
        {
            await ApiErrorWriter.WriteAsync(context.Response, e.Error, context.RequestAborted).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client or the gateway hung up; the sequences are gone already.
        }
    }
}
