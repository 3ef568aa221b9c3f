using LlmCluster.Cluster;
using LlmCluster.Cluster.Reservations;
using LlmCluster.Testing;
using Xunit;
using static LlmCluster.Tests.Integration.Cluster.SampleWorkers;

namespace LlmCluster.Tests.Integration.Cluster;

/// <summary>What every <see cref="IReservations"/> must do.</summary>
public abstract class ReservationsContract : StateContract
{
    private static readonly ReserveResult Reserved = new(ReserveOutcome.Reserved);

    [Fact]
    public async Task AReservationCountsOnEachOfItsWorkersForEveryGateway()
    {
        await JoinAsync("p", "d");
        Assert.Equal(Reserved, await First.Reservations.TryReserveAsync(Room("r", Claim("p", 10, 160, 0), Claim("d", 12, 0, 1)), Long));
        Assert.Equal(Reserved, await Second.Reservations.TryReserveAsync(Room("s", Claim("d", 5, 80, 1)), Long));
        await AssertReservedAsync(("d", new ReservedRoom(17, 80, 2)), ("p", new ReservedRoom(10, 160, 0)));
        Assert.Equal(
            [new ReservedRoom(17, 80, 2), new ReservedRoom(10, 160, 0)], (await Second.GetWorkersAsync()).Select(worker => worker.Reserved));
    }

    [Fact]
    public async Task WhatDoesNotFitIsRefusedWhole()
    {
        await JoinAsync("p", "d");
        await First.Reservations.TryReserveAsync(Room("r", Claim("d", 90, 0, 1)), Long);
        Assert.Equal(
            new ReserveResult(ReserveOutcome.Full, "d", new ReservedRoom(90, 0, 1)),
            await Second.Reservations.TryReserveAsync(Room("s", Claim("p", 1), Claim("d", 11)), Long));
        await AssertReservedAsync(("d", new ReservedRoom(90, 0, 1)));
        Assert.Equal(Reserved, await Second.Reservations.TryReserveAsync(Room("s", Claim("p", 1), Claim("d", 10)), Long));
    }

    [Fact]
    public async Task MoreThanAnEmptyWorkerHasIsRefused()
    {
        await JoinAsync("w");
        Assert.Equal(
            new ReserveResult(ReserveOutcome.Full, "w"), await First.Reservations.TryReserveAsync(Room("r", Claim("w", 101)), Long));
        await AssertReservedAsync();
    }

    [Fact]
    public async Task AWorkerThatIsGoneOrDrainingTakesNothing()
    {
        await JoinAsync("left", "drains", "expires");
        await First.LeaveAsync("left");
        await First.HeartbeatAsync(Snapshot("drains", status: WorkerStatus.Draining), Long);
        await ExpireAsync("expires");
        foreach (string id in new[] { "left", "drains", "expires", "never joined" })
        {
            Assert.Equal(new ReserveResult(ReserveOutcome.WorkerGone, id), await Second.Reservations.TryReserveAsync(Room("r", Claim(id, 1)), Long));
        }

        await First.HeartbeatAsync(Snapshot("drains"), Long);
        Assert.Equal(Reserved, await Second.Reservations.TryReserveAsync(Room("r", Claim("drains", 1)), Long));
    }

    [Fact]
    public async Task ComputedPromptTokensCountNoMore()
    {
        await JoinAsync("w");
        await First.Reservations.TryReserveAsync(Room("r", Claim("w", 10, 160, 1)), Long);
        await First.Reservations.TryReserveAsync(Room("s", Claim("w", 1, 16, 1)), Long);
        await Second.Reservations.PrefillDoneAsync("r", "w");
        await First.Reservations.PrefillDoneAsync("r", "w");
        await First.Reservations.PrefillDoneAsync("unknown", "w");
        await First.Reservations.PrefillDoneAsync("r", "unknown");
        await AssertReservedAsync(("w", new ReservedRoom(11, 16, 2)));
        await First.Reservations.ReleaseAsync("r");
        await AssertReservedAsync(("w", new ReservedRoom(1, 16, 1)));
    }

    [Fact]
    public async Task ClaimsEndOneByOneOrTogetherAndOnlyOnce()
    {
        await JoinAsync("p", "d");
        await First.Reservations.TryReserveAsync(Room("r", Claim("p", 10, 160, 0), Claim("d", 12, 0, 1)), Long);
        await First.Reservations.TryReserveAsync(Room("s", Claim("p", 3), Claim("d", 4)), Long);
        await Second.Reservations.ReleaseAsync("r", "p");
        await Second.Reservations.ReleaseAsync("r", "p");
        await AssertReservedAsync(("d", new ReservedRoom(16, 0, 1)), ("p", new ReservedRoom(3, 0, 0)));
        await First.Reservations.ReleaseAsync("r");
        await First.Reservations.ReleaseAsync("r");
        await First.Reservations.ReleaseAsync("r", "d");
        await AssertReservedAsync(("d", new ReservedRoom(4, 0, 0)), ("p", new ReservedRoom(3, 0, 0)));
        await First.Reservations.ReleaseAsync("s", "d");
        await First.Reservations.ReleaseAsync("s", "p");
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task AReservationEndsWithItsLifetimeAndMakesRoom()
    {
        await JoinAsync("w");
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal(Reserved, await First.Reservations.TryReserveAsync(Room($"dies-{i}", Claim("w", 20)), Short));
        }

        RoomReservation next = Room("next", Claim("w", 100));
        await Eventually.TrueAsync(async () => await Second.Reservations.TryReserveAsync(next, Long) == Reserved);
        await AssertReservedAsync(("w", new ReservedRoom(100, 0, 0)));
        await First.Reservations.ReleaseAsync("dies-0");
        await AssertReservedAsync(("w", new ReservedRoom(100, 0, 0)));
    }

    [Fact]
    public async Task RenewedReservationsStayAndWhatTheyReleasedStaysReleased()
    {
        await JoinAsync("p", "d");
        RoomReservation reservation = Room("r", Claim("p", 10, 160, 0), Claim("d", 12, 70, 1));
        await First.Reservations.TryReserveAsync(reservation, Short);
        await First.Reservations.TryReserveAsync(Room("dies", Claim("p", 1)), Short);
        await First.Reservations.ReleaseAsync("r", "p");
        await First.Reservations.PrefillDoneAsync("r", "d");
        await Second.Reservations.RenewAsync([reservation], Long);
        await Eventually.TrueAsync(async () => !(await Second.Reservations.GetReservedAsync()).ContainsKey("p"));
        await AssertReservedAsync(("d", new ReservedRoom(12, 0, 1)));
        await First.Reservations.ReleaseAsync("r");
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task RenewingMakesLostReservationsAgainWhateverThereIs()
    {
        await JoinAsync("w");
        await First.Reservations.TryReserveAsync(Room("new", Claim("w", 80)), Long);
        RoomReservation[] lost = [.. Enumerable.Range(0, 250).Select(i => Room($"lost-{i}", Claim("w", 2, 5, 1), Claim("not here yet", 1)))];
        await Second.Reservations.RenewAsync(lost, Long);
        await AssertReservedAsync(("not here yet", new ReservedRoom(250, 0, 0)), ("w", new ReservedRoom(580, 1250, 250)));
        Assert.Equal(ReserveOutcome.Full, (await First.Reservations.TryReserveAsync(Room("more", Claim("w", 1)), Long)).Outcome);

        // The worker finds the emptied state later than the gateway: it still runs those requests.
        await JoinAsync("not here yet");
        await AssertReservedAsync(("not here yet", new ReservedRoom(250, 0, 0)), ("w", new ReservedRoom(580, 1250, 250)));
        foreach (RoomReservation reservation in lost)
        {
            await First.Reservations.ReleaseAsync(reservation.Id);
        }

        await First.Reservations.ReleaseAsync("new");
        await AssertNothingIsLeftAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task WhatIsReservedOnAWorkerGoesWithItsLease(bool leaves)
    {
        await JoinAsync("w", "x");
        RoomReservation old = Room("old", Claim("w", 50, 10, 1), Claim("x", 5));
        await First.Reservations.TryReserveAsync(old, Long);
        await (leaves ? First.LeaveAsync("w").AsTask() : ExpireAsync("w"));
        await AssertReservedAsync(("x", new ReservedRoom(5, 0, 0)));

        // It comes back, and the end of the old claim takes nothing from the new one.
        await JoinAsync("w");
        await Second.Reservations.TryReserveAsync(Room("new", Claim("w", 60)), Long);
        await First.Reservations.RenewAsync([old], Long);
        await First.Reservations.PrefillDoneAsync("old", "w");
        await AssertReservedAsync(("w", new ReservedRoom(60, 0, 0)), ("x", new ReservedRoom(5, 0, 0)));
        await First.Reservations.ReleaseAsync("old");
        await AssertReservedAsync(("w", new ReservedRoom(60, 0, 0)));
        await First.Reservations.ReleaseAsync("new");
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task WrongArgumentsAreRefused()
    {
        await JoinAsync("w");
        await First.Reservations.TryReserveAsync(Room("used", Claim("w", 1)), Long);
        RoomReservation[] wrong =
        [
            Room("used", Claim("w", 1)), Room(" ", Claim("w", 1)), Room("r"), Room("r", Claim("", 1)), Room("r", Claim("w", -1)), Room("r", Claim("w", 1, -1)),
            Room("r", Claim("w", 1, 1, -1)), Room("r", Claim("w", 1) with { BlockLimit = -1 }), Room("r", Claim("w", 1), Claim("w", 1)),
        ];
        foreach (RoomReservation reservation in wrong)
        {
            await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Reservations.TryReserveAsync(reservation, Long));
            if (reservation.Id != "used")
            {
                await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Reservations.RenewAsync([reservation], Long));
            }
        }

        RoomReservation right = Room("r", Claim("w", 1));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Reservations.TryReserveAsync(right, TimeSpan.Zero));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Reservations.RenewAsync([right], TimeSpan.FromDays(1)));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Reservations.ReleaseAsync(""));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Reservations.ReleaseAsync("r", ""));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Reservations.PrefillDoneAsync("r", " "));
        var cancelled = new CancellationToken(canceled: true);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await First.Reservations.TryReserveAsync(right, Long, cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await First.Reservations.RenewAsync([right], Long, cancelled));
        await AssertReservedAsync(("w", new ReservedRoom(1, 0, 0)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task ConcurrentGatewaysNeverReserveMoreThanThereIsAndLeaveNothing(int seed)
    {
        string[] ids = ["a", "b", "c"];
        await JoinAsync(ids);
        var held = new long[ids.Length];
        int granted = 0;
        int refused = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(task => Task.Run(async () =>
        {
            var random = new Random((seed * 100) + task);
            IReservations reservations = (task % 2 == 0 ? First : Second).Reservations;
            var mine = new List<RoomReservation>();
            for (int step = 0; step < 100; step++)
            {
                if (mine.Count == 0 || random.Next(2) == 0)
                {
                    int prefill = random.Next(ids.Length);
                    int decode = (prefill + 1 + random.Next(ids.Length - 1)) % ids.Length;
                    RoomReservation next = Room(
                        $"{task}-{step}", Claim(ids[prefill], random.Next(40), random.Next(500), 0), Claim(ids[decode], random.Next(40), 0, 1));
                    if (await reservations.TryReserveAsync(next, Long) == Reserved)
                    {
                        mine.Add(next);
                        Interlocked.Increment(ref granted);
                        Assert.All(next.Claims, claim => Assert.True(Add(claim, claim.Blocks) <= claim.BlockLimit));
                    }
                    else
                    {
                        Interlocked.Increment(ref refused);
                    }
                }
                else
                {
                    RoomReservation last = mine[random.Next(mine.Count)];
                    mine.Remove(last);
                    await reservations.PrefillDoneAsync(last.Id, last.Claims[0].WorkerId);
                    foreach (RoomClaim claim in last.Claims)
                    {
                        Add(claim, -claim.Blocks);
                    }

                    if (random.Next(2) == 0)
                    {
                        await reservations.ReleaseAsync(last.Id, last.Claims[0].WorkerId);
                    }

                    await reservations.ReleaseAsync(last.Id);
                }
            }

            foreach (RoomReservation reservation in mine)
            {
                foreach (RoomClaim claim in reservation.Claims)
                {
                    Add(claim, -claim.Blocks);
                }

                await reservations.ReleaseAsync(reservation.Id);
            }
        })));
        Assert.True(granted > 50 && refused > 50, $"{granted} were granted, {refused} refused: the test shows nothing.");
        await AssertNothingIsLeftAsync();

        long Add(RoomClaim claim, int blocks) => Interlocked.Add(ref held[Array.IndexOf(ids, claim.WorkerId)], blocks);
    }

    /// <summary>No reservation has left anything behind.</summary>
    protected virtual async Task AssertNothingIsLeftAsync() => await AssertReservedAsync();

    private static RoomReservation Room(string id, params RoomClaim[] claims) => new(id, claims);

    private static RoomClaim Claim(string worker, int blocks, int tokens = 0, int sequences = 0) => new(worker, blocks, tokens, sequences, BlockLimit: 100);

    private async Task AssertReservedAsync(params (string WorkerId, ReservedRoom Reserved)[] expected) => Assert.Equal(
        expected, (await Second.Reservations.GetReservedAsync()).OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => (pair.Key, pair.Value)));

    private async Task JoinAsync(params string[] ids)
    {
        foreach (string id in ids)
        {
            await First.HeartbeatAsync(Snapshot(id), Long);
        }
    }
}
