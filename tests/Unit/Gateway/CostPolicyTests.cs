using LlmCluster.Cluster;
using LlmCluster.Cluster.Reservations;
using LlmCluster.Gateway.Placement;
using Xunit;
using static LlmCluster.Tests.Unit.Gateway.PlacementWorkers;

namespace LlmCluster.Tests.Unit.Gateway;

public sealed class CostPolicyTests
{
    private readonly CostPolicy _policy = new();

    [Fact]
    public void The_shortest_queue_is_taken_where_nothing_is_held() =>
        Assert.Equal("b>d", Place(Request(4000), Prefill("a", 900), Prefill("b", 100), Prefill("c", 400), Decode("d", running: 20)));

    [Fact]
    public void A_holder_is_worth_a_longer_queue_but_not_any()
    {
        WorkerSnapshot[] workers = [.. new[] { Prefill("a", 1500), Prefill("b"), Decode("d", running: 20) }.Select(WithoutFetch)];

        Assert.Equal("a>d", Place(Request(4000, ("a", 2000)), workers));
        Assert.Equal("b>d", Place(Request(4000, ("a", 800)), workers));

        static WorkerSnapshot WithoutFetch(WorkerSnapshot worker) => worker with { Info = worker.Info with { BlockBytes = 0 } };
    }

    [Fact]
    public void A_short_suffix_is_computed_where_the_conversation_is_and_a_long_one_is_not()
    {
        WorkerSnapshot[] workers = [Prefill("p"), Decode("d1", running: 3), Decode("d2")];

        PlacementResult next = _policy.Place(Request(4000, ("p", 3000), ("d1", 3980)), workers);
        Assert.Equal(">d1", next.Names());
        Assert.Equal(3980, next.Placement!.ReusedTokens);
        Assert.Null(next.Placement.Prefill);
        Assert.Equal("p>d1", Place(Request(8000, ("p", 3000), ("d1", 3000)), workers));
    }

    [Fact]
    public void A_hot_prefix_spreads_to_others_that_fetch_it_and_hit_it_from_then_on()
    {
        // Twelve requests for one prefix of 4,000 tokens at once; blocks travel fast. What a worker was sent, it holds when the next one comes.
        WorkerSnapshot[] prefill = [.. Enumerable.Range(0, 4).Select(i => Fast(Prefill($"p{i}")))];
        WorkerSnapshot decode = Fast(Decode("d", running: 50)) with { Info = Decode("d").Info with { TotalBlocks = 100_000 } };
        var held = new Dictionary<string, int> { ["p0"] = 4000 };
        List<(string Worker, string? Source)> placed = [];
        for (int i = 0; i < 12; i++)
        {
            PlacementRequest request = Request(4400, [.. held.Select(h => (h.Key, h.Value))]) with { Turn = i + 1 };
            RequestPlacement placement = _policy.Place(request, [.. prefill, decode]).Placement!;
            placed.Add((placement.Computes.Info.Id, placement.FetchFrom?.Info.Id));
            int at = Array.FindIndex(prefill, worker => worker.Info.Id == placement.Computes.Info.Id);
            prefill[at] = prefill[at] with { Reserved = new ReservedRoom(0, prefill[at].Reserved.PrefillTokens + 4400 - placement.ReusedTokens, 0) };
            held[placement.Computes.Info.Id] = 4000;
        }

        Assert.Equal(("p0", null), placed[0]);
        Assert.Equal(3, placed.Count(p => p.Source is not null));
        Assert.All(placed.CountBy(p => p.Worker), count => Assert.Equal(3, count.Value));
        Assert.All(placed.GroupBy(p => p.Worker), one => Assert.All(one.Skip(1), later => Assert.Null(later.Source)));

        static WorkerSnapshot Fast(WorkerSnapshot worker) => worker with { Load = worker.Load with { TransferRate = 1e8 } };
    }

    [Fact]
    public void The_holder_that_is_draining_is_left_alone()
    {
        WorkerSnapshot holder = Prefill("a") with { Status = WorkerStatus.Draining };
        Assert.Equal("b>d", Place(Request(100, ("a", 90)), holder, Prefill("b"), Decode("d", running: 9)));
    }

    [Fact]
    public void Nothing_is_fetched_from_workers_that_do_not_tell_the_size_of_a_block()
    {
        WorkerSnapshot holder = Prefill("a", 100_000);
        holder = holder with { Info = holder.Info with { BlockBytes = 0 } };
        Assert.Equal("b>d", Place(Request(8000, ("a", 7000)), holder, Prefill("b"), Decode("d", running: 9)));
    }

    [Fact]
    public void Ways_over_the_target_come_after_the_others_and_those_without_memory_last()
    {
        WorkerSnapshot slow = Decode("slow", running: 90);
        slow = slow with { Load = slow.Load with { StepTime = 0.2 } };
        WorkerSnapshot full = Decode("full") with { Reserved = new ReservedRoom(999, 0, 0) };
        PlacementRequest request = Request(100) with { TpotTarget = TimeSpan.FromMilliseconds(50) };

        Assert.Equal("p>fine", Place(request, Prefill("p", 900), slow, full, Decode("fine", running: 30)));
        PlacementResult over = _policy.Place(request, [Prefill("p", 900), slow, full]);
        Assert.Equal("slow", over.Placement!.Decode.Info.Id);
        Assert.Contains("over the target", over.Reason, StringComparison.Ordinal);
        PlacementResult lacking = _policy.Place(request, [Prefill("p"), full]);
        Assert.False(lacking.Placement!.Estimate!.Value.Fits);
        Assert.Contains("memory may not suffice", lacking.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_ways_that_are_as_fast_the_less_loaded_is_taken_and_equals_take_turns()
    {
        WorkerSnapshot[] workers = [Prefill("p"), Decode("d1", running: 30), Decode("d2", running: 10), Decode("d3", running: 20)];
        Assert.Equal("p>d2", Place(Request(4000), workers));

        WorkerSnapshot[] equals = [Mixed("m1"), Mixed("m2"), Mixed("m3")];
        Assert.Equal(3, Enumerable.Range(1, 3).Select(turn => _policy.Place(Request(100) with { Turn = turn }, equals).Names()).Distinct().Count());
    }

    [Fact]
    public void Groups_that_cannot_exchange_blocks_neither_pair_nor_fetch()
    {
        WorkerSnapshot other = Prefill("x");
        WorkerSnapshot[] workers =
        [
            Prefill("a", 50_000), Decode("d", running: 20), other with { Info = other.Info with { LayoutFingerprint = "other" } },
            Mixed("m", 60_000),
        ];
        Assert.Equal("a>d", Place(Request(4000, ("x", 3900)), workers));
    }

    [Fact]
    public void Says_why_in_numbers()
    {
        WorkerSnapshot[] workers = [Prefill("a", 500), Prefill("b", 1500), Decode("d", running: 8)];
        string reason = _policy.Place(Request(800, ("a", 160)), workers).Reason;
        Assert.StartsWith(
            "cost: prefill on a, decode on d, first token in 1.19 s (queue 500 ms, prefill 640 ms with 160 tokens reused, transfer 16.6 ms, step 30 ms), then 30.8 ms a token; next prefill on b,",
            reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Is_a_function_of_what_it_is_given_and_says_why_there_is_none()
    {
        WorkerSnapshot[] workers = [Prefill("a"), Prefill("b"), Decode("d")];
        Assert.Equal(_policy.Place(Request(100), workers), _policy.Place(Request(100), workers));
        Assert.Equal("No worker of model 'm' is there.", _policy.Place(Request(1), []).Reason);
        Assert.Null(_policy.Place(Request(1), [Prefill("p")]).Placement);
    }

    [Fact]
    public void New_workers_without_rates_are_used()
    {
        WorkerSnapshot[] workers = [Workers.Create("p", WorkerRole.Prefill), Workers.Create("d", WorkerRole.Decode)];
        PlacementResult result = _policy.Place(Request(100), workers);
        Assert.NotNull(result.Placement);
        Assert.InRange(result.Placement.Estimate!.Value.Ttft.TotalSeconds, 0, 10);
    }

    [Fact]
    public void A_failed_prefill_worker_is_replaced_by_the_soonest()
    {
        WorkerSnapshot decode = Decode("d");
        WorkerSnapshot[] workers = [Prefill("a", 100), Prefill("b", 900), Prefill("c", 1200), decode];
        PlacementRequest request = Request(1000, ("c", 900));

        Assert.Equal("a", Replace());
        Assert.Equal("b", _policy.ReplacePrefill(Request(1000), workers, decode.Info, new HashSet<string> { "a" })?.Info.Id);
        Assert.Equal("c", Replace("a"));
        Assert.Null(Replace("a", "b", "c"));

        string? Replace(params string[] failed) => _policy.ReplacePrefill(request, workers, decode.Info, failed.ToHashSet())?.Info.Id;
    }

    private string Place(PlacementRequest request, params WorkerSnapshot[] workers) => _policy.Place(request, workers).Names();
}
