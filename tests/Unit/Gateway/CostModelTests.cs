using LlmCluster.Cluster;
using LlmCluster.Cluster.Reservations;
using LlmCluster.Gateway.Placement;
using Xunit;
using static LlmCluster.Tests.Unit.Gateway.PlacementWorkers;

namespace LlmCluster.Tests.Unit.Gateway;

public sealed class CostModelTests
{
    [Fact]
    public void A_pair_takes_queue_prefill_the_rest_of_the_transfer_and_a_step()
    {
        WorkerSnapshot prefill = Prefill("p", queued: 500);
        WorkerSnapshot decode = Decode("d", running: 8);
        CostModel model = Model(Request(800, ("p", 160), ("d", 320)), prefill, decode);

        WayCost way = model.Pair(model.Compute(prefill, null), model.Decode(decode));

        // 640 tokens at 1,000 a second; 480 tokens are 30 blocks of 16,000 bytes, which take 0.3 s: all but the last layer goes meanwhile.
        Assert.Equal((0.5, 0, 0.64, 0.03), (way.Queue, way.Fetch, way.Compute, way.Step));
        Assert.Equal(0.001 + (0.3 / 32), way.Handover, 9);
        Assert.Equal(0.5 + 0.64 + 0.001 + (0.3 / 32) + 0.03, way.Ttft, 9);

        // A step of 40 shares (32 fixed, 8 sequences) takes 30 ms; with one more, 41.
        Assert.Equal(0.03 * 41 / 40, way.Tpot, 9);
        Assert.Equal((1120, 0.2 * 1120 / 1000), (way.Stored, Math.Round(way.Charge, 9)));
        Assert.True(way.Fits);
    }

    [Fact]
    public void What_of_a_transfer_outlasts_the_prefill_is_waited_for()
    {
        WorkerSnapshot prefill = Prefill("p");
        WorkerSnapshot decode = Decode("d");
        decode = decode with { Load = decode.Load with { TransferRate = 160_000 } };
        CostModel model = Model(Request(800, ("p", 480)), prefill, decode);

        // 50 blocks at the slower one's 10 a second, 0.32 s of them during prefill; nothing runs there, so that no step is waited for.
        WayCost way = model.Pair(model.Compute(prefill, null), model.Decode(decode));
        Assert.Equal(0.001 + (5 - 0.32) + (5.0 / 32), way.Handover, 9);
        Assert.Equal(0, way.Step);
    }

    [Fact]
    public void A_fetch_goes_on_during_the_queue_and_saves_prefill()
    {
        WorkerSnapshot[] workers = [Prefill("a", queued: 100), Prefill("b"), Decode("d")];
        CostModel model = Model(Request(1601, ("a", 160), ("b", 1600)), workers);

        ComputeCost cost = model.Compute(workers[0], workers[1]);

        // 1,440 tokens are 90 blocks, 0.9 s at 1.6 MB a second.
        Assert.Equal((1600, 1440), (cost.Reused, cost.Fetched));
        Assert.Equal(0.901, cost.Fetch, 9);
        Assert.Equal(0.001, cost.Compute, 9);
        Assert.Equal(0.902, cost.End, 9);
        WayCost way = model.Pair(cost, model.Decode(workers[2]));
        Assert.Equal((0.1, 0.801), (way.Queue, Math.Round(way.Fetch, 9)));

        // Nothing to fetch where the other holds less.
        Assert.Null(model.Compute(workers[1], workers[0]).Source);
    }

    [Fact]
    public void Prefill_on_a_decode_worker_takes_twice_as_long_where_streams_run_and_is_charged_with_their_stall()
    {
        WorkerSnapshot idle = Decode("i");
        WorkerSnapshot busy = Decode("b", running: 4);
        CostModel model = Model(Request(100, ("i", 60), ("b", 60)), idle, busy);

        WayCost alone = model.Alone(model.Compute(idle, null), model.Decode(idle));
        WayCost shared = model.Alone(model.Compute(busy, null), model.Decode(busy));

        Assert.Equal((0.04, 0.08), (alone.Compute, shared.Compute));
        Assert.Equal(4 * 0.04, shared.Charge - alone.Charge, 9);
        Assert.Equal(0, shared.Handover);
    }

    [Fact]
    public void A_stall_of_streams_counts_against_the_target_of_their_time_per_token()
    {
        WorkerSnapshot busy = Decode("b", running: 4);
        PlacementRequest request = Request(1000) with { TpotTarget = TimeSpan.FromMilliseconds(35) };
        CostModel model = Model(request, busy);

        // One second over 100 tokens is 10 ms each, on top of 27.75.
        WayCost way = model.Alone(model.Compute(busy, null), model.Decode(busy));
        Assert.Equal(0.02775, way.Tpot, 9);
        Assert.Equal((1, true), (way.Rank, way.Fits));
        WayCost pair = model.Pair(model.Compute(Prefill("p"), source: null), model.Decode(busy));
        Assert.Equal(0, pair.Rank);
    }

    [Fact]
    public void Memory_fits_by_what_is_reserved()
    {
        WorkerSnapshot prefill = Prefill("p");
        WorkerSnapshot decode = Decode("d");
        PlacementRequest request = Request(160) with { MaxOutputTokens = 32 };

        // 160 + 32 tokens are 12 blocks, and one of its own for the end.
        Assert.True(Fits(prefill, decode with { Reserved = new ReservedRoom(987, 0, 0) }));
        Assert.False(Fits(prefill, decode with { Reserved = new ReservedRoom(988, 0, 0) }));
        Assert.True(Fits(prefill with { Reserved = new ReservedRoom(989, 0, 0) }, decode));
        Assert.False(Fits(prefill with { Reserved = new ReservedRoom(990, 0, 0) }, decode));

        bool Fits(WorkerSnapshot one, WorkerSnapshot other)
        {
            CostModel model = Model(request, one, other);
            return model.Pair(model.Compute(one, null), model.Decode(other)).Fits;
        }
    }

    [Fact]
    public void Queues_are_what_is_reported_or_reserved_whichever_is_more()
    {
        WorkerSnapshot worker = Prefill("p", queued: 300);
        Assert.Equal(300, CostModel.QueuedTokens(worker));
        Assert.Equal(400, CostModel.QueuedTokens(worker with { Load = worker.Load with { WaitingTokens = 400 } }));
    }

    [Fact]
    public void Unknown_rates_are_the_median_of_the_known_ones_or_a_constant()
    {
        WorkerSnapshot unknown = Prefill("u") with { Load = new WorkerLoad() };
        WorkerSnapshot[] known = [.. new[] { 500.0, 3000, double.NaN, 900 }.Select((rate, i) => Prefill($"p{i}") with { Load = new WorkerLoad { PrefillRate = rate } })];

        WorkerRates rates = GroupRates.Of([unknown, .. known]).For(unknown);
        WorkerRates none = GroupRates.Of([unknown]).For(unknown);

        Assert.Equal(900, rates.Prefill);
        Assert.Equal(500, GroupRates.Of([unknown, .. known]).For(known[0]).Prefill);
        Assert.True(none is { Prefill: > 0, Transfer: > 0, Step: > 0 });
        Assert.Equal(none.Transfer, rates.Transfer);
    }

    [Fact]
    public void Old_measurements_count_only_in_favour_of_a_worker()
    {
        WorkerSnapshot Old(string id, double prefill, double transfer, double step, double age) => Prefill(id) with
        {
            Load = new WorkerLoad { PrefillRate = prefill, PrefillAge = age, TransferRate = transfer, TransferAge = age, StepTime = step, StepAge = age },
        };

        WorkerSnapshot usual = Old("usual", 1000, 1e6, 0.02, age: 0);
        WorkerSnapshot slow = Old("slow", 10, 1e3, 2, age: GroupRates.OldAge - 1);
        WorkerSnapshot wasSlow = Old("was-slow", 10, 1e3, 2, age: GroupRates.OldAge);
        WorkerSnapshot wasFast = Old("was-fast", 5000, 1e9, 0.001, age: 10 * GroupRates.OldAge);

        // Of two, too.
        Assert.Equal(new WorkerRates(1000, 1e6, 0.02), GroupRates.Of([usual, wasSlow]).For(wasSlow));
        Assert.Equal(new WorkerRates(10, 1e3, 2), GroupRates.Of([usual, slow]).For(slow));
        GroupRates all = GroupRates.Of([slow, usual, wasFast]);
        Assert.Equal(new WorkerRates(1000, 1e6, 0.02), all.For(wasSlow));
        Assert.Equal(new WorkerRates(5000, 1e9, 0.001), all.For(wasFast));
    }

    [Fact]
    public void The_last_token_is_computed_always_and_lower_tiers_take_a_transfer()
    {
        WorkerSnapshot worker = Mixed("m");
        PlacementRequest request = Request(160) with { Held = new Dictionary<string, HeldTokens> { ["m"] = new(80, 200) } };

        ComputeCost cost = Model(request, worker).Compute(worker, null);

        Assert.Equal((159, 80), (cost.Reused, cost.Stored));
        Assert.Equal(0.001, cost.Compute, 9);
        Assert.Equal(0.05, cost.Fetch, 9);
    }

    private static CostModel Model(PlacementRequest request, params WorkerSnapshot[] workers) => new(request, GroupRates.Of(workers));
}
