using LlmCluster.Cluster;
using LlmCluster.Gateway.Placement;
using Xunit;

namespace LlmCluster.Tests.Unit.Gateway;

public sealed class LeastPredictedLoadPolicyTests
{
    private readonly LeastPredictedLoadPolicy _policy = new();

    [Fact]
    public void The_worker_with_the_least_predicted_work_is_taken_whatever_the_turn()
    {
        WorkerSnapshot[] workers = [Mixed("a", predicted: 900), Mixed("b", predicted: 300), Mixed("c", predicted: 100, waiting: 250)];

        Assert.All(Enumerable.Range(1, 5), turn => Assert.Equal("b", Place(workers, turn).Placement!.Decode.Info.Id));
        Assert.Contains("least predicted load, 0.188: all on mixed worker b", Place(workers, 1).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Equals_take_turns()
    {
        WorkerSnapshot[] workers = [Mixed("a"), Mixed("b"), Mixed("c", predicted: 1)];

        Assert.Equal(["a", "b", "a", "b"], Enumerable.Range(1, 4).Select(turn => Place(workers, turn).Placement!.Decode.Info.Id));
    }

    [Fact]
    public void Load_is_relative_to_what_a_worker_can_hold()
    {
        WorkerSnapshot small = Mixed("small", predicted: 300);
        WorkerSnapshot large = Mixed("large", predicted: 500);
        large = large with { Info = large.Info with { TotalBlocks = 200 } };

        Assert.Equal("large", Place([large, small], 1).Placement!.Decode.Info.Id);
    }

    [Fact]
    public void Where_the_request_is_predicted_to_fit_comes_first()
    {
        WorkerSnapshot full = Mixed("full", predicted: 10, blocks: 99);
        WorkerSnapshot busy = Mixed("busy", predicted: 500, blocks: 30);

        Assert.Equal("busy", Place([full, busy], 1).Placement!.Decode.Info.Id);
        Assert.Contains("may not fit", Place([full], 1).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pair_is_as_loaded_as_the_worse_of_the_two_and_has_the_least_loaded_of_each_role()
    {
        WorkerSnapshot[] workers =
        [
            Load(Workers.Create("d1", WorkerRole.Decode), predicted: 700), Load(Workers.Create("d2", WorkerRole.Decode), predicted: 200),
            Load(Workers.Create("p1", WorkerRole.Prefill), waiting: 600), Load(Workers.Create("p2", WorkerRole.Prefill), waiting: 400),
        ];

        RequestPlacement pair = Place([.. workers, Mixed("m", predicted: 500)], 1).Placement!;
        Assert.Equal(("p2", "d2"), (pair.Prefill!.Info.Id, pair.Decode.Info.Id));
        RequestPlacement mixed = Place([.. workers, Mixed("m", predicted: 300)], 1).Placement!;
        Assert.Equal((null, "m"), (mixed.Prefill?.Info.Id, mixed.Decode.Info.Id));
    }

    [Fact]
    public void Workers_that_predict_nothing_are_not_taken_for_idle()
    {
        WorkerSnapshot old = Workers.Create("old", WorkerRole.Mixed);
        old = old with { Load = new WorkerLoad { Running = 4 } };

        Assert.Equal("new", Place([old, Mixed("new", predicted: 800)], 1).Placement!.Decode.Info.Id);
    }

    [Fact]
    public void Only_workers_that_can_exchange_blocks_are_paired_and_a_failed_one_is_replaced_by_the_least_loaded()
    {
        WorkerSnapshot decode = Workers.Create("d", WorkerRole.Decode);
        WorkerSnapshot[] workers =
        [
            decode, Load(Workers.Create("p1", WorkerRole.Prefill), waiting: 9), Load(Workers.Create("p2", WorkerRole.Prefill), waiting: 5),
            Workers.Create("p3", WorkerRole.Prefill, layout: "other"),
        ];

        Assert.Equal("p2", Place(workers, 1).Placement!.Prefill!.Info.Id);
        Assert.Equal("p1", Replace(workers, decode, "p2")?.Info.Id);
        Assert.Null(Replace(workers, decode, "p1", "p2"));
        Assert.Equal(new RoundRobinPolicy().Place(Request(1), [decode]).Reason, Place([decode], 1).Reason);
    }

    [Fact]
    public void Policies_are_found_by_name()
    {
        Assert.IsType<LeastPredictedLoadPolicy>(PlacementPolicies.Create("Least-Predicted-Load"));
        Assert.IsType<CostPolicy>(PlacementPolicies.Create(PlacementPolicies.Default));
        string message = Assert.Throws<ArgumentException>(() => PlacementPolicies.Create("best")).Message;
        Assert.Contains("'best'; expected one of cost, round-robin, least-loaded, power-of-two, prefix-affinity, least-predicted-load", message, StringComparison.Ordinal);
    }

    private static WorkerSnapshot Mixed(string id, long predicted = 0, int waiting = 0, int blocks = 0) =>
        Load(Workers.Create(id, WorkerRole.Mixed), predicted, waiting, blocks);

    private static WorkerSnapshot Load(WorkerSnapshot worker, long predicted = 0, int waiting = 0, int blocks = 0) => worker with
    {
        Load = new WorkerLoad { Report = 1, PredictedTokens = predicted, WaitingTokens = waiting, PredictedBlocks = blocks, MedianOutput = 100 },
    };

    private static PlacementRequest Request(long turn) => new("m", 10, 1, turn);

    private PlacementResult Place(WorkerSnapshot[] workers, long turn) => _policy.Place(Request(turn), workers);

    private WorkerSnapshot? Replace(WorkerSnapshot[] workers, WorkerSnapshot decode, params string[] failed) =>
        _policy.ReplacePrefill(Request(1), workers, decode.Info, failed.ToHashSet());
}
