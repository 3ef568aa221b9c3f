using LlmCluster.Cluster;
using LlmCluster.Cluster.Reservations;
using LlmCluster.Gateway.Placement;
using Xunit;
using static LlmCluster.Tests.Unit.Gateway.PlacementWorkers;

namespace LlmCluster.Tests.Unit.Gateway;

/// <summary><c>least-loaded</c>, <c>power-of-two</c> and <c>prefix-affinity</c>.</summary>
public sealed class SimplePolicyTests
{
    private readonly LeastLoadedPolicy _least = new();
    private readonly PowerOfTwoPolicy _two = new();
    private readonly PrefixAffinityPolicy _affinity = new();

    [Fact]
    public void Least_loaded_takes_the_shortest_queues_whatever_is_held()
    {
        WorkerSnapshot[] workers = [Prefill("p1", 500), Prefill("p2", 300), Decode("d1", running: 2), Decode("d2", running: 1), Mixed("m", 600)];

        Assert.Equal("p2>d2", _least.Place(Request(100, ("p1", 90)), workers).Names());
        Assert.Equal("m", _least.Place(Request(100), [.. workers[..4], Mixed("m", 200)]).Placement!.Decode.Info.Id);
        Assert.Equal("least loaded: prefill on p2 (300), decode on d2 (256)", _least.Place(Request(100), workers).Reason);
    }

    [Fact]
    public void Least_loaded_goes_by_reports_where_nothing_is_reserved_and_equals_take_turns()
    {
        WorkerSnapshot reported = Mixed("r");
        reported = reported with { Load = reported.Load with { WaitingTokens = 1 } };
        WorkerSnapshot[] workers = [reported, Mixed("a"), Mixed("b")];

        string[] names = [.. Enumerable.Range(1, 6).Select(turn => _least.Place(Request(10) with { Turn = turn }, workers).Names()).Distinct()];
        Assert.Equal([">a", ">b"], names.Order());
    }

    [Fact]
    public void Power_of_two_takes_the_less_loaded_of_two_and_draws_all()
    {
        WorkerSnapshot[] workers = [.. Enumerable.Range(0, 5).Select(i => Mixed($"m{i}", queued: i * 1000))];

        var counts = Enumerable.Range(1, 4000).Select(turn => _two.Place(Request(10) with { Turn = turn }, workers).Names()).CountBy(name => name).ToDictionary();

        // Of ten pairs, the least loaded is in four, the next one is the best of three, and so on; the last one never is.
        Assert.Equal(4, counts.Count);
        Assert.All(Enumerable.Range(0, 4), i => Assert.InRange(counts[$">m{i}"], ((4 - i) * 400) - 120, ((4 - i) * 400) + 120));
    }

    [Fact]
    public void Power_of_two_pairs_only_within_a_group()
    {
        WorkerSnapshot[] workers =
        [
            Prefill("p1"), Decode("d1"), Workers.Create("p2", WorkerRole.Prefill, layout: "other"), Workers.Create("d2", WorkerRole.Decode, layout: "other"),
        ];
        Assert.Equal(["p1>d1", "p2>d2"], Enumerable.Range(1, 40).Select(turn => _two.Place(Request(10) with { Turn = turn }, workers).Names()).Distinct().Order());
        Assert.Equal("p1>d1", _two.Place(Request(10), workers[..2]).Names());
    }

    [Fact]
    public void Affinity_follows_the_longest_prefix_however_long_the_queue_and_else_the_load()
    {
        WorkerSnapshot[] workers = [Prefill("p1", 90_000), Prefill("p2", 100), Prefill("p3", 200), Decode("d1", running: 1), Decode("d2")];

        Assert.Equal("p1>d2", _affinity.Place(Request(100, ("p1", 32), ("p2", 16), ("d1", 96)), workers).Names());
        Assert.Equal("p2>d2", _affinity.Place(Request(100, ("p2", 32), ("p3", 32)), workers).Names());
        Assert.Equal("p2>d2", _affinity.Place(Request(100), workers).Names());
        Assert.Equal(">m", _affinity.Place(Request(100, ("p1", 32), ("m", 48)), [.. workers, Mixed("m", 99_000)]).Names());
    }

    [Theory]
    [InlineData("least-loaded")]
    [InlineData("power-of-two")]
    [InlineData("prefix-affinity")]
    public void Failed_prefill_workers_are_replaced_and_workers_that_cannot_serve_are_left_out(string name)
    {
        IPlacementPolicy policy = PlacementPolicies.Create(name);
        WorkerSnapshot decode = Decode("d");
        WorkerSnapshot[] workers =
        [
            decode, Prefill("p1", 10), Prefill("p2", 20), Prefill("gone") with { Status = WorkerStatus.Draining }, Workers.Create("other", WorkerRole.Prefill, layout: "other"),
        ];

        Assert.Equal("p2", Replace("p1"));
        Assert.Equal("p1", Replace("p2"));
        Assert.Equal("p1", Replace());
        Assert.Null(Replace("p1", "p2"));
        Assert.Null(policy.Place(Request(10), [decode]).Placement);
        Assert.Equal("No worker of model 'm' is there.", policy.Place(Request(10), []).Reason);
        Assert.All(Enumerable.Range(1, 20), turn => Assert.StartsWith("p", policy.Place(Request(10) with { Turn = turn }, workers).Placement!.Prefill!.Info.Id, StringComparison.Ordinal));

        string? Replace(params string[] failed) => policy.ReplacePrefill(Request(10), workers, decode.Info, failed.ToHashSet())?.Info.Id;
    }

    [Fact]
    public void Estimates_are_there_for_policies_that_foresee_nothing()
    {
        WorkerSnapshot[] workers = [Prefill("p", 500), Decode("d", running: 8)];
        RequestPlacement placement = new RoundRobinPolicy().PlaceForeseen(Request(800, ("p", 160), ("d", 320)), workers).Placement!;

        Assert.Equal(160, placement.ReusedTokens);
        Assert.InRange(placement.Estimate!.Value.Ttft.TotalSeconds, 1.18, 1.181);
        Assert.True(placement.Estimate.Value.Fits);
    }

    [Fact]
    public void Claims_cover_what_the_request_takes()
    {
        PlacementRequest request = Request(100, ("p", 64)) with { Sequences = 2, MaxOutputTokens = 500 };
        WorkerSnapshot[] workers = [Prefill("p"), Decode("d")];
        RequestPlacement placement = new RoundRobinPolicy().PlaceForeseen(request, workers).Placement!;

        // 100 prompt tokens and twice a median of 100: 300 tokens are 18 whole blocks, and one for the end of each sequence.
        Assert.Equal([new RoomClaim("p", 8, 36, 0, 1000), new RoomClaim("d", 20, 0, 2, 1000)], RoomClaims.For(placement, request));
        Assert.Equal([new RoomClaim("d", 20, 36, 2, 1000)], RoomClaims.For(placement with { Prefill = null }, request));
        Assert.Equal(2000 / 16, RoomClaims.BlocksWithOutput(Request(1895), workers[1]) + 0);
        Assert.Equal(1000, RoomClaims.PromptBlocks(Request(1_000_000), workers[0]));
    }
}
