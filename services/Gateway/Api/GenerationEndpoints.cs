using LlmCluster.Api.Errors;
using LlmCluster.Api.Generate;
using LlmCluster.Api.Requests;
using LlmCluster.Gateway.Access;
using LlmCluster.Gateway.Dispatch;
using LlmCluster.Gateway.Models;
using LlmCluster.Gateway.Proxy;

namespace LlmCluster.Gateway.Api;

/// <summary><c>/v1/completions</c> and <c>/v1/chat/completions</c>.</summary>
internal sealed class GenerationEndpoints(
    ServedModel model, RequestLimits limits, PromptEncoder encoder, ModelFacts facts, RequestDispatcher dispatcher, AccountCharges charges, GatewayOptions options, TimeProvider time)
{
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/completions", CompleteAsync);
        routes.MapPost("/v1/chat/completions", ChatAsync);
    }

    private async Task CompleteAsync(HttpContext context)
    {
        byte[] body = await RequestBody.ReadAsync(context, options.MaxBodyBytes).ConfigureAwait(false);
        CompletionRequest request = CompletionRequest.Parse(body, limits);
        CheckModel(request.Parameters.Model);
        int contextLength = facts.ContextLength;
        int[][] prompts = encoder.Encode(request, contextLength);
        await RunAsync(context, AnswerKind.Completion, request.Parameters, prompts, contextLength, offersTools: false).ConfigureAwait(false);
    }

    private async Task ChatAsync(HttpContext context)
    {
        byte[] body = await RequestBody.ReadAsync(context, options.MaxBodyBytes).ConfigureAwait(false);
        ChatCompletionRequest request = ChatCompletionRequest.Parse(body, limits);
        CheckModel(request.Parameters.Model);
        int contextLength = facts.ContextLength;
        int[] prompt = encoder.Encode(request, contextLength);
        await RunAsync(context, AnswerKind.Chat, request.Parameters, [prompt], contextLength, request.Prompt.Tools is not null).ConfigureAwait(false);
    }

    private async Task RunAsync(HttpContext context, AnswerKind kind, GenerationParameters parameters, int[][] prompts, int contextLength, bool offersTools)
    {
        RequestPlan plan = RequestPlan.Create(kind, parameters, prompts, model, contextLength, time.GetUtcNow(), Caller.Of(context), offersTools);
        AccountCharge charge = await charges.ChargeAsync(context.Response, plan.Caller, plan.PromptTokens, plan.MaxOutputTokens, context.RequestAborted).ConfigureAwait(false);
        long? used = 0;
        try
        {
            AnswerUsage? usage = await dispatcher.RunAsync(context, plan, RequestIds.Get(context)).ConfigureAwait(false);
            used = context.Response.StatusCode != StatusCodes.Status200OK ? 0 : usage is null ? null : (long)usage.PromptTokens + usage.CompletionTokens;
        }
        catch
        {
            // Nothing is charged for a failure without an answer; what began as one stays charged whole, and the prompt of a client that hung up.
            used = context.Response.HasStarted ? null : context.RequestAborted.IsCancellationRequested ? plan.PromptTokens : 0;
            throw;
        }
        finally
        {
            await charge.SettleAsync(used).ConfigureAwait(false);
        }
    }

    private void CheckModel(string name)
    {
        if (name != model.Name)
        {
            throw ApiError.ModelNotFound(name, model.Name).ToException();
        }
    }
}
