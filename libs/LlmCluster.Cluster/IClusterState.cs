using LlmCluster.Cluster.Accounts;
using LlmCluster.Cluster.Directory;
using LlmCluster.Cluster.Reservations;

namespace LlmCluster.Cluster;

/// <summary>
/// What workers and gateways share: membership with leases, load, reservations, the prefix-cache directory, and what tenants use. In memory when everything runs in one process,
/// Redis otherwise; both pass one contract suite. All members may be called from any thread.
/// </summary>
/// <remarks>
/// Every operation ends within a few seconds: with a <see cref="ClusterStateException"/> where the state can't be
/// reached. A later call tries anew and works once the state is back.
/// </remarks>
public interface IClusterState : IAsyncDisposable
{
    /// <summary>Joins the cluster, or renews the lease and reports status and load: a heartbeat.</summary>
    /// <param name="worker">The worker with its current status and load.</param>
    /// <param name="lease">The worker vanishes this long after its last heartbeat.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ClusterStateException">The state can't be reached.</exception>
    ValueTask HeartbeatAsync(WorkerSnapshot worker, TimeSpan lease, CancellationToken cancellationToken = default);

    /// <summary>Leaves the cluster at once. Leaving twice, or without having joined, is no error.</summary>
    /// <exception cref="ClusterStateException">The state can't be reached.</exception>
    ValueTask LeaveAsync(string workerId, CancellationToken cancellationToken = default);

    /// <summary>All workers whose lease runs, ordered by id (ordinally).</summary>
    /// <exception cref="ClusterStateException">The state can't be reached.</exception>
    ValueTask<IReadOnlyList<WorkerSnapshot>> GetWorkersAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Yields at once, when the watch is in place, then after every change of membership or status (not of load), the
    /// end of a lease included; it may yield without a change. A hint that <see cref="GetWorkersAsync"/> is worth
    /// calling now: changes that come close together may yield once, and messages may be lost while the state can't be
    /// reached, which itself is no error here.
    /// </summary>
    /// <param name="cancellationToken">Ends the watch with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>The number of hints so far, from 1. Ends when the state is disposed of.</returns>
    IAsyncEnumerable<long> WatchAsync(CancellationToken cancellationToken = default);

    /// <summary>Which worker holds which KV block.</summary>
    IPrefixDirectory Directory { get; }

    /// <summary>Room that gateways have promised to requests.</summary>
    IReservations Reservations { get; }

    /// <summary>What tenants and keys use.</summary>
    IAccounts Accounts { get; }

    /// <summary>
    /// Adds one to a counter that all gateways share and returns its new value, from 1; for round-robin placement.
    /// </summary>
    /// <exception cref="ClusterStateException">The state can't be reached.</exception>
    ValueTask<long> NextAsync(string counter, CancellationToken cancellationToken = default);
}
