using LlmCluster.Cluster.Redis.Scripts;
using LlmCluster.Cluster.Reservations;
using StackExchange.Redis;

namespace LlmCluster.Cluster.Redis;

/// <summary>Room that is promised to requests, in Redis; <see cref="ReservationScripts"/> has the format.</summary>
internal sealed class RedisReservations(RedisScriptRunner scripts, RedisKeys names) : IReservations
{
    /// <summary>Reservations that one script renews: Redis serves nobody else while it runs.</summary>
    private const int RenewedPerScript = 100;

    private const int InUse = -1;

    private readonly RedisKey[] _keys = names.Workers();

    /// <inheritdoc/>
    public async ValueTask<ReserveResult> TryReserveAsync(
        RoomReservation reservation, TimeSpan lifetime, CancellationToken cancellationToken = default)
    {
        ReservationChecks.Check(reservation);
        Checks.Lifetime(lifetime);
        var arguments = new List<RedisValue> { reservation.Id, Milliseconds(lifetime) };
        foreach (RoomClaim claim in reservation.Claims)
        {
            arguments.AddRange([claim.WorkerId, claim.Blocks, claim.PrefillTokens, claim.Sequences, claim.BlockLimit]);
        }

        var values = (RedisValue[])(await RunAsync("reserve", ReservationScripts.TryReserve, arguments, cancellationToken).ConfigureAwait(false))!;
        return (int)values[0] switch
        {
            InUse => throw ReservationChecks.InUse(reservation.Id),
            (int)ReserveOutcome.Reserved => new ReserveResult(ReserveOutcome.Reserved),
            int outcome => new ReserveResult((ReserveOutcome)outcome, reservation.Claims[(int)values[1]].WorkerId, Room(values, 2)),
        };
    }

    /// <inheritdoc/>
    public async ValueTask PrefillDoneAsync(string id, string workerId, CancellationToken cancellationToken = default)
    {
        Checks.Name(id);
        Checks.Name(workerId);
        await RunAsync("note a computed prompt", ReservationScripts.ChangeClaim, [id, workerId, false], cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask ReleaseAsync(string id, string workerId, CancellationToken cancellationToken = default)
    {
        Checks.Name(id);
        Checks.Name(workerId);
        await RunAsync("release", ReservationScripts.ChangeClaim, [id, workerId, true], cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask ReleaseAsync(string id, CancellationToken cancellationToken = default)
    {
        Checks.Name(id);
        await RunAsync("release", ReservationScripts.Release, [id], cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask RenewAsync(
        IReadOnlyList<RoomReservation> reservations, TimeSpan lifetime, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(reservations);
        Checks.Lifetime(lifetime);
        foreach (RoomReservation reservation in reservations)
        {
            ReservationChecks.Check(reservation);
        }

        foreach (RoomReservation[] part in reservations.Chunk(RenewedPerScript))
        {
            var arguments = new List<RedisValue> { Milliseconds(lifetime) };
            foreach (RoomReservation reservation in part)
            {
                arguments.AddRange([reservation.Id, reservation.Claims.Count]);
                foreach (RoomClaim claim in reservation.Claims)
                {
                    arguments.AddRange([claim.WorkerId, claim.Blocks, claim.PrefillTokens, claim.Sequences]);
                }
            }

            await RunAsync("renew reservations", ReservationScripts.Renew, arguments, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyDictionary<string, ReservedRoom>> GetReservedAsync(CancellationToken cancellationToken = default)
    {
        var values = (RedisValue[])(await RunAsync("read reservations", ReservationScripts.Get, [], cancellationToken).ConfigureAwait(false))!;
        var reserved = new Dictionary<string, ReservedRoom>(values.Length / 4, StringComparer.Ordinal);
        for (int i = 0; i < values.Length; i += 4)
        {
            reserved.Add(values[i]!, Room(values, i + 1));
        }

        return reserved;
    }

    /// <summary>Reads blocks, prompt tokens and sequences as scripts return them.</summary>
    internal static ReservedRoom Room(RedisValue[] values, int at) => new((long)values[at], (long)values[at + 1], (long)values[at + 2]);

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;

    private Task<RedisResult> RunAsync(string what, string script, List<RedisValue> arguments, CancellationToken cancellationToken) =>
        scripts.RunAsync(what, script, _keys, [.. arguments], cancellationToken);
}
