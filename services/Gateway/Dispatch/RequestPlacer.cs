using LlmCluster.Api.Errors;
using LlmCluster.Cluster;
using LlmCluster.Cluster.Reservations;
using LlmCluster.Gateway.Admission;
using LlmCluster.Gateway.Placement;

namespace LlmCluster.Gateway.Dispatch;

/// <summary>
/// Finds a place for a request: asks who holds its prefix and what is reserved, lets the policy choose, judges the choice by the request's class, and reserves the room.
/// When another gateway was quicker it chooses again with what it learned.
/// </summary>
internal sealed class RequestPlacer(
    IPlacementPolicy policy, PlacementTurns turns, ClusterView view, PrefixLookup prefixes, RoomBook rooms, TimeProvider time)
{
    // Each takes a round trip; whoever loses more often waits in the queue.
    private const int MaxTries = 4;

    /// <summary>Tries to place a request.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled; nothing is reserved.</exception>
    public async ValueTask<AdmissionAttempt<PlacedRequest>> TryAsync(PlacementTask task, CancellationToken cancellationToken)
    {
        IReadOnlyList<WorkerSnapshot> members = view.Workers;
        Task<List<WorkerSnapshot>> loaded = WithReservedAsync(members, cancellationToken);
        PlacementRequest request = await DescribeAsync(task, members, cancellationToken).ConfigureAwait(false);
        List<WorkerSnapshot> workers = await loaded.ConfigureAwait(false);
        HashSet<string> full = [];
        string? problem = null;
        for (int i = 0; i < MaxTries; i++)
        {
            PlacementResult choice = policy.PlaceForeseen(request, workers);
            if (choice.Placement is not { } placement)
            {
                return problem is null
                    ? new AdmissionRefusal.Never(ApiError.Unavailable(choice.Reason))
                    : new AdmissionRefusal.NotNow(problem, null, HoldsOthers: true);
            }

            // Whether it fits is settled by reserving, which knows of other gateways.
            PlacementEstimate? estimate = placement.Estimate is { } foreseen ? foreseen with { Fits = true } : null;
            if (SloAdmission.Judge(task.Class, estimate, time.GetElapsedTime(task.Arrived)) is { } late)
            {
                return late;
            }

            var reservation = new RoomReservation(task.NextReservationId(), RoomClaims.For(placement, request));
            (ReserveResult result, RoomLease? lease) = await rooms.TryReserveAsync(reservation, cancellationToken).ConfigureAwait(false);
            if (lease is not null)
            {
                return AdmissionAttempt<PlacedRequest>.Placed(new PlacedRequest(placement, request, lease));
            }

            problem = Learn(workers, full, reservation, result);
        }

        return new AdmissionRefusal.NotNow(problem!, null, HoldsOthers: true);
    }

    private async ValueTask<PlacementRequest> DescribeAsync(PlacementTask task, IReadOnlyList<WorkerSnapshot> workers, CancellationToken cancellationToken)
    {
        RequestPlan plan = task.Plan;
        string model = plan.Generate.Answer.Model;
        Task<IReadOnlyDictionary<string, HeldTokens>> held = prefixes.FindAsync(task.Hashes, workers, model, cancellationToken).AsTask();
        if (task.Turn == 0)
        {
            task.Turn = await turns.NextAsync(cancellationToken).ConfigureAwait(false);
        }

        return new PlacementRequest(model, plan.PromptTokens, plan.Generate.Sequences.Count, task.Turn)
        {
            Held = await held.ConfigureAwait(false),
            MaxOutputTokens = plan.Generate.Sequences.Sum(static sequence => (long)sequence.MaxTokens),
            TtftTarget = task.Class.Options.TtftTarget,
            TpotTarget = task.Class.Options.TpotTarget,
        };
    }

    private async Task<List<WorkerSnapshot>> WithReservedAsync(IReadOnlyList<WorkerSnapshot> workers, CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<string, ReservedRoom> reserved = await rooms.GetReservedAsync(cancellationToken).ConfigureAwait(false);
        return [.. workers.Select(worker => worker with { Reserved = reserved.GetValueOrDefault(worker.Info.Id) })];
    }

    /// <summary>Takes note of why room was refused.</summary>
    /// <returns>The reason in words.</returns>
    private static string Learn(List<WorkerSnapshot> workers, HashSet<string> full, RoomReservation reservation, ReserveResult result)
    {
        string id = result.WorkerId!;
        int index = workers.FindIndex(worker => worker.Info.Id == id);
        WorkerSnapshot worker = workers[index];
        if (result.Outcome == ReserveOutcome.WorkerGone)
        {
            workers.RemoveAt(index);
            return $"Worker {id} has left the cluster or is about to.";
        }

        // A policy that looks at room turns elsewhere, and may still fetch from the worker that is full; one that doesn't is made to.
        workers[index] = worker with { Reserved = result.Reserved };
        if (!full.Add(id))
        {
            workers.RemoveAt(index);
        }

        int needed = reservation.Claims.First(claim => claim.WorkerId == id).Blocks;
        return $"Worker {id} has {result.Reserved.Blocks} of its {worker.Info.TotalBlocks} KV blocks reserved and the request needs {needed}.";
    }
}
