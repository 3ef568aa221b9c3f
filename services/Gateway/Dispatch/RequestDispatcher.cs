using LlmCluster.Api.Errors;
using LlmCluster.Api.Generate;
using LlmCluster.Cluster;
using LlmCluster.Gateway.Admission;
using LlmCluster.Gateway.Placement;
using LlmCluster.Gateway.Proxy;
using LlmCluster.Gateway.Resilience;
using LlmCluster.Gateway.Telemetry;

namespace LlmCluster.Gateway.Dispatch;

/// <summary>Has a request admitted and placed, and runs both of its legs at once.</summary>
internal sealed partial class RequestDispatcher(
    RequestPlacer placer,
    AdmissionQueue queue,
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
    /// <returns>What the answer used.</returns>
    /// <exception cref="ApiException">The request failed and no response has begun.</exception>
    /// <exception cref="OperationCanceledException">The client hung up.</exception>
    public async Task<AnswerUsage?> RunAsync(HttpContext context, RequestPlan plan, string requestId)
    {
        CancellationToken hangUp = context.RequestAborted;
        using var deadline = new CancellationTokenSource(options.RequestTimeout, time);
        using var legs = CancellationTokenSource.CreateLinkedTokenSource(hangUp, deadline.Token);
        long arrived = time.GetTimestamp();
        AdmissionRequest admission = plan.Admission;
        var task = new PlacementTask(plan, admission.Class, arrived);
        PlacedRequest placed;
        try
        {
            placed = await queue.AdmitAsync(admission, token => placer.TryAsync(task, token), legs.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !hangUp.IsCancellationRequested)
        {
            throw TooLate().ToException();
        }

        using RoomLease room = placed.Room;
        RequestPlacement placement = placed.Placement;
        PlacementHeader.Write(context, placement.Reason);
        GatewayMetrics.Place(placement, placed.Facts);
        LogPlaced(plan.Generate.RequestId, placed.Facts.Sequences, placed.Facts.PromptTokens, placement.Reason);

        WorkerInfo worker = placement.Decode.Info;
        GenerateRequest request = plan.Generate with
        {
            Answer = plan.Generate.Answer with { SystemFingerprint = $"fp_{Prefix(worker.ModelFingerprint)}" },
            Local = placement.Prefill is null ? plan.Local with { FetchEndpoint = placement.FetchFrom?.Info.GrpcEndpoint } : null,
        };
        Task<DecodeOutcome> decode = decodeLeg.ForwardAsync(context, request, worker, requestId, legs.Token, () => room.PrefillDone(worker.Id));
        Task<PrefillFailure?> prefill = placement.Prefill is null
            ? Task.FromResult<PrefillFailure?>(null)
            : RunPrefillAsync(plan, placed, requestId, legs.Token);

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
        if (outcome.FirstByte is { } first)
        {
            GatewayMetrics.Foreseen(placement, time.GetElapsedTime(arrived, first));
        }

        queue.Served(admission, outcome.Usage?.CompletionTokens ?? 0);
        await FinishPrefillAsync(context, prefill, outcome, legs).ConfigureAwait(false);
        if (outcome.Error is null)
        {
            return outcome.Usage;
        }

        hangUp.ThrowIfCancellationRequested();
        ApiError error = failure?.Error ?? (deadline.IsCancellationRequested ? TooLate() : outcome.Error);
        LogFailed(plan.Generate.RequestId, error.Status, error.Message);
        await TellAsync(context, error, outcome.CanTell, hangUp).ConfigureAwait(false);
        return outcome.Usage;
    }

    private ApiError TooLate() => ApiError.Timeout($"The request took longer than {options.RequestTimeout.TotalSeconds:0.###} s.");

    private async Task<PrefillFailure?> RunPrefillAsync(RequestPlan plan, PlacedRequest placed, string requestId, CancellationToken cancellationToken)
    {
        RequestPlacement placement = placed.Placement;
        try
        {
            return await prefillLeg.RunAsync(plan, placed, requestId, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            placed.Room.Release(placement.Prefill!.Info.Id);
        }
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
