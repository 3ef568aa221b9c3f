using LlmCluster.Api.Errors;
using LlmCluster.Api.Generate;
using LlmCluster.Cluster;
using LlmCluster.Gateway.Placement;
using LlmCluster.Gateway.Proxy;
using LlmCluster.Gateway.Resilience;

namespace LlmCluster.Gateway.Dispatch;

/// <summary>Places a request and runs both of its legs at once.</summary>
internal sealed partial class RequestDispatcher(
    IPlacementPolicy policy,
    PlacementTurns turns,
    RecentPlacements recent,
    ClusterView view,
    PrefillLeg prefillLeg,
    DecodeLeg decodeLeg,
    GatewayOptions options,
    TimeProvider time,
    ILogger<RequestDispatcher> logger)
{
    // The legs end a moment apart: a prefill worker learns after the decode worker that the sequence was taken over, and
    // a short answer may be complete by then.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    /// <summary>Answers the client.</summary>
    /// <exception cref="ApiException">The request failed and no response has begun.</exception>
    /// <exception cref="OperationCanceledException">The client hung up.</exception>
    public async Task RunAsync(HttpContext context, RequestPlan plan, string requestId)
    {
        CancellationToken hangUp = context.RequestAborted;
        using var deadline = new CancellationTokenSource(options.RequestTimeout, time);
        using var legs = CancellationTokenSource.CreateLinkedTokenSource(hangUp, deadline.Token);

        long turn = await turns.NextAsync(legs.Token).ConfigureAwait(false);
        var facts = new PlacementRequest(plan.Generate.Answer.Model, plan.PromptTokens, plan.Generate.Sequences.Count, turn);
        PlacementResult result = policy.Place(facts, recent.AddTo(view.Workers));
        RequestPlacement placement = result.Placement ?? throw ApiError.Unavailable(result.Reason).ToException();
        recent.Add(placement, facts);
        LogPlaced(plan.Generate.RequestId, facts.Sequences, facts.PromptTokens, placement.Reason);

        WorkerInfo worker = placement.Decode.Info;
        GenerateRequest request = plan.Generate with
        {
            Answer = plan.Generate.Answer with { SystemFingerprint = $"fp_{Prefix(worker.ModelFingerprint)}" },
            Local = placement.Prefill is null ? plan.Local : null,
        };
        Task<DecodeOutcome> decode = decodeLeg.ForwardAsync(context, request, worker, requestId, legs.Token);
        Task<PrefillFailure?> prefill = placement.Prefill is { } other
            ? prefillLeg.RunAsync(plan, facts, other, worker, requestId, legs.Token)
            : Task.FromResult<PrefillFailure?>(null);

        PrefillFailure? failure = null;
        try
        {
            if (await Task.WhenAny(prefill, decode).ConfigureAwait(false) == prefill)
            {
                failure = await ObserveAsync(prefill).ConfigureAwait(false);
                if (failure is { DecodeEnds: true })
                {
                    await Task.WhenAny(decode, Task.Delay(Grace, legs.Token)).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            if (prefill.IsFaulted || failure is not null)
            {
                await legs.CancelAsync().ConfigureAwait(false);
            }

            await Task.WhenAny(decode).ConfigureAwait(false);
        }

        DecodeOutcome outcome = await decode.ConfigureAwait(false);
        await FinishPrefillAsync(context, prefill, outcome, legs).ConfigureAwait(false);
        if (outcome.Error is null)
        {
            return;
        }

        hangUp.ThrowIfCancellationRequested();
        ApiError error = failure?.Error
            ?? (deadline.IsCancellationRequested ? ApiError.Timeout($"The request took longer than {options.RequestTimeout.TotalSeconds:0.###} s.") : outcome.Error);
        LogFailed(plan.Generate.RequestId, error.Status, error.Message);
        await TellAsync(context, error, outcome.CanTell, hangUp).ConfigureAwait(false);
    }

    private static async Task FinishPrefillAsync(HttpContext context, Task<PrefillFailure?> prefill, DecodeOutcome outcome, CancellationTokenSource legs)
    {
        if (!prefill.IsCompleted && outcome.Error is null && context.Response.StatusCode == StatusCodes.Status200OK)
        {
            // The client has its answer; only the bookkeeping of leg 1 is left.
            await context.Response.CompleteAsync().ConfigureAwait(false);
            await Task.WhenAny(prefill, Task.Delay(Grace, legs.Token)).ConfigureAwait(false);
        }

        await legs.CancelAsync().ConfigureAwait(false);
        await ObserveAsync(prefill).ConfigureAwait(false);
    }

    private static async Task<PrefillFailure?> ObserveAsync(Task<PrefillFailure?> prefill)
    {
        try
        {
            return await prefill.ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    private static async Task TellAsync(HttpContext context, ApiError error, bool canTell, CancellationToken cancellationToken)
    {
        if (!context.Response.HasStarted)
        {
            throw error.ToException();
        }

        if (canTell)
        {
            await context.Response.Body.WriteAsync(ApiErrorWriter.ToEvent(error), cancellationToken).ConfigureAwait(false);
        }
        else
        {
            // Half an answer must not look like a whole one.
            context.Abort();
        }
    }

    private static string Prefix(string fingerprint) => fingerprint[..Math.Min(fingerprint.Length, 12)];
}
