namespace LlmCluster.Cluster.Reservations;

/// <summary>Checks reservations, the same way for each implementation.</summary>
internal static class ReservationChecks
{
    public static void Check(RoomReservation reservation)
    {
        ArgumentNullException.ThrowIfNull(reservation);
        Checks.Name(reservation.Id);
        ArgumentNullException.ThrowIfNull(reservation.Claims);
        Checks.Require(reservation.Claims.Count > 0, reservation.Claims.Count, "A reservation claims room on one worker at least.");
        for (int i = 0; i < reservation.Claims.Count; i++)
        {
            RoomClaim claim = reservation.Claims[i];
            Checks.Name(claim.WorkerId);
            Checks.NotNegative(claim.Blocks);
            Checks.NotNegative(claim.PrefillTokens);
            Checks.NotNegative(claim.Sequences);
            Checks.NotNegative(claim.BlockLimit);
            for (int j = 0; j < i; j++)
            {
                Checks.Require(reservation.Claims[j].WorkerId != claim.WorkerId, claim.WorkerId, "A reservation has one claim a worker.");
            }
        }
    }

    /// <summary>The error of an id that names a reservation already.</summary>
    public static ArgumentException InUse(string id) => new($"The reservation '{id}' exists already; each has an id of its own.", nameof(id));
}
