namespace LlmCluster.Cluster.Reservations;

/// <summary>Room for one request, on one worker or several.</summary>
/// <param name="Id">Unique name of the attempt to serve the request.</param>
/// <param name="Claims">One a worker.</param>
public sealed record RoomReservation(string Id, IReadOnlyList<RoomClaim> Claims);
