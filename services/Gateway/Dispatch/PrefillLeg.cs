using System.Collections.Concurrent;
using Grpc.Core;
using LlmCluster.Api.Generate;
using LlmCluster.Cluster;
using LlmCluster.Gateway.Placement;
using LlmCluster.Gateway.Resilience;
using LlmCluster.Protocol.V1;

namespace LlmCluster.Gateway.Dispatch;

/// <summary>
/// Leg 1 of a request: one call of a prefill worker for each sequence. When a worker is lost, the sequence goes to
/// another one under the next epoch.
/// </summary>
internal sealed partial class PrefillLeg(
    PrefillChannels channels, IPlacementPolicy policy, ClusterView view, GatewayOptions options, TimeProvider time, ILogger<PrefillLeg> logger)
{
    /// <summary>Name of the metadata entry and header that carries the request's id.</summary>
    public const string RequestIdHeader = "x-request-id";

    /// <summary>Computes and hands over all sequences.</summary>
    /// <returns>Null when all were taken over, or the first permanent failure, after which the other calls are ended.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task<PrefillFailure?> RunAsync(
        RequestPlan plan, PlacedRequest placed, string requestId, CancellationToken cancellationToken)
    {
        using var calls = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var run = new Run(plan, placed, requestId, calls.Token);
        List<Task<PrefillFailure?>> pending = [.. plan.Generate.Sequences.Select(s => RunSequenceAsync(run, s))];
        PrefillFailure? failure = null;
        await foreach (Task<PrefillFailure?> ended in Task.WhenEach(pending).ConfigureAwait(false))
        {
            try
            {
                if (await ended.ConfigureAwait(false) is { } problem && failure is null)
                {
                    failure = problem;
                    await calls.CancelAsync().ConfigureAwait(false);
                }
            }
            catch (OperationCanceledException) when (failure is not null)
            {
                // Ended because of the failure.
            }
        }

        return failure;
    }

    private async Task<PrefillFailure?> RunSequenceAsync(Run run, GenerateSequence sequence)
    {
        WorkerSnapshot worker = run.Placed.Placement.Prefill!;
        for (int epoch = 1; ; epoch++)
        {
            Status status = await CallAsync(run, sequence, epoch, worker.Info).ConfigureAwait(false);
            if (status.StatusCode == StatusCode.OK)
            {
                return null;
            }

            run.CancellationToken.ThrowIfCancellationRequested();
            if (!PrefillFailure.IsTransient(status.StatusCode) || epoch >= options.PrefillAttempts)
            {
                LogFailed(sequence.Index, worker.Info.Id, epoch, status.StatusCode, status.Detail);
                return PrefillFailure.From(status);
            }

            run.Failed.TryAdd(worker.Info.Id, 0);
            if (policy.ReplacePrefill(run.Facts, view.Workers, run.Decode, run.Failed.Keys.ToHashSet()) is { } other)
            {
                LogReplaced(sequence.Index, worker.Info.Id, epoch, status.StatusCode, status.Detail, other.Info.Id);
                worker = other;
            }
            else
            {
                // There is no other: the connection may have broken, or the worker may be starting again.
                TimeSpan delay = RetryDelay.After(epoch, Random.Shared.NextDouble());
                LogRetried(sequence.Index, worker.Info.Id, epoch, status.StatusCode, status.Detail, delay);
                await Task.Delay(delay, time, run.CancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task<Status> CallAsync(Run run, GenerateSequence sequence, int epoch, WorkerInfo worker)
    {
        try
        {
            var client = new Protocol.V1.Prefill.PrefillClient(channels.Get(worker.GrpcEndpoint));
            PrefillRequest request = PrefillMessages.Create(run.Plan, sequence, epoch, run.Decode.GrpcEndpoint, FetchEndpoint(run, worker));
            var metadata = new Metadata { { RequestIdHeader, run.RequestId } };
            DateTime deadline = time.GetUtcNow().UtcDateTime + options.PrefillTimeout;
            PrefillResponse response = await client.PrefillAsync(request, metadata, deadline, run.CancellationToken).ResponseAsync.ConfigureAwait(false);
            LogHandedOver(sequence.Index, worker.Id, epoch, response.CachedTokens, response.SkippedBlocks, response.SentBytes);
            return Status.DefaultSuccess;
        }
        catch (RpcException e)
        {
            run.CancellationToken.ThrowIfCancellationRequested();
            return e.Status;
        }
        catch (ObjectDisposedException e)
        {
            // The worker left the cluster between placement and call.
            return new Status(StatusCode.Unavailable, $"Worker {worker.Id} left the cluster.", e);
        }
    }

    // A worker that took over may be the very one to fetch from.
    private static Uri? FetchEndpoint(Run run, WorkerInfo worker) =>
        run.Placed.Placement.FetchFrom is { Info: { } source } && source.Id != worker.Id ? source.GrpcEndpoint : null;

    private sealed record Run(RequestPlan Plan, PlacedRequest Placed, string RequestId, CancellationToken CancellationToken)
    {
        public PlacementRequest Facts => Placed.Facts;

        public WorkerInfo Decode => Placed.Placement.Decode.Info;

        /// <summary>Workers that failed any sequence of the request.</summary>
        public ConcurrentDictionary<string, byte> Failed { get; } = new();
    }
}
