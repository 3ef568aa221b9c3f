namespace LlmCluster.Cluster.Reservations;

/// <summary>
/// Room on workers that gateways have promised to requests. Reserving is atomic across gateways, so that two of them never count on the same room. All members may be
/// called from any thread.
/// </summary>
/// <remarks>
/// A reservation ends when it is released, when its lifetime has run out by the state's clock without renewal (its gateway died), and on each worker when the worker's
/// lease ends.
/// </remarks>
public interface IReservations
{
    /// <summary>Reserves all that is claimed, or nothing.</summary>
    /// <param name="reservation">What to reserve; its id was never used.</param>
    /// <param name="lifetime">It ends this long after it was made or renewed.</param>
    /// <param name="cancellationToken">Ends the wait; the room may then be reserved until its lifetime has run out, unless the caller releases it.</param>
    /// <exception cref="ClusterStateException">The state can't be reached.</exception>
    ValueTask<ReserveResult> TryReserveAsync(RoomReservation reservation, TimeSpan lifetime, CancellationToken cancellationToken = default);

    /// <summary>Says that the prompt tokens of a claim are computed: they no longer count, its blocks and sequences still do.</summary>
    /// <exception cref="ClusterStateException">The state can't be reached.</exception>
    ValueTask PrefillDoneAsync(string id, string workerId, CancellationToken cancellationToken = default);

    /// <summary>Ends one claim of a reservation. Ending what has ended is no error.</summary>
    /// <exception cref="ClusterStateException">The state can't be reached.</exception>
    ValueTask ReleaseAsync(string id, string workerId, CancellationToken cancellationToken = default);

    /// <summary>Ends a reservation. Ending what has ended is no error.</summary>
    /// <exception cref="ClusterStateException">The state can't be reached.</exception>
    ValueTask ReleaseAsync(string id, CancellationToken cancellationToken = default);

    /// <summary>
    /// Gives reservations a new lifetime. Those that the state has lost are made again as they are given here, whatever is reserved already: their requests run.
    /// </summary>
    /// <exception cref="ClusterStateException">The state can't be reached.</exception>
    ValueTask RenewAsync(IReadOnlyList<RoomReservation> reservations, TimeSpan lifetime, CancellationToken cancellationToken = default);

    /// <summary>What is reserved, by worker; workers on which nothing is are left out.</summary>
    /// <exception cref="ClusterStateException">The state can't be reached.</exception>
    ValueTask<IReadOnlyDictionary<string, ReservedRoom>> GetReservedAsync(CancellationToken cancellationToken = default);
}
