using LlmCluster.Cluster;
using LlmCluster.Gateway.Placement;
using Xunit;

namespace LlmCluster.Tests.Unit.Gateway;

public sealed class RoundRobinPolicyTests
{
    private readonly RoundRobinPolicy _policy = new();

    [Fact]
    public void Uses_every_worker_equally_and_every_pair()
    {
        WorkerSnapshot[] workers =
        [
            Workers.Create("d1", WorkerRole.Decode), Workers.Create("d2", WorkerRole.Decode),
            Workers.Create("p1", WorkerRole.Prefill), Workers.Create("p2", WorkerRole.Prefill),
        ];

        List<RequestPlacement> placements = [.. Enumerable.Range(1, 8).Select(turn => Place(workers, turn).Placement!)];

        Assert.All(placements.CountBy(p => p.Prefill!.Info.Id), count => Assert.Equal(4, count.Value));
        Assert.All(placements.CountBy(p => p.Decode.Info.Id), count => Assert.Equal(4, count.Value));
        Assert.Equal(4, placements.Select(p => (p.Prefill!.Info.Id, p.Decode.Info.Id)).Distinct().Count());
    }

    [Fact]
    public void Alternates_between_pairs_and_mixed_workers()
    {
        WorkerSnapshot[] workers = [Workers.Create("d", WorkerRole.Decode), Workers.Create("m", WorkerRole.Mixed), Workers.Create("p", WorkerRole.Prefill)];

        string[] places = [.. Enumerable.Range(1, 4).Select(turn => Place(workers, turn).Placement!).Select(p => $"{p.Prefill?.Info.Id ?? "-"}{p.Decode.Info.Id}")];

        Assert.Equal(["pd", "-m", "pd", "-m"], places);
    }

    [Fact]
    public void Is_a_function_of_what_it_is_given()
    {
        WorkerSnapshot[] workers = [Workers.Create("d", WorkerRole.Decode), Workers.Create("p1", WorkerRole.Prefill), Workers.Create("p2", WorkerRole.Prefill)];

        Assert.Equal(Place(workers, 5), Place(workers, 5));
        Assert.NotEqual(Place(workers, 5).Placement!.Prefill, Place(workers, 6).Placement!.Prefill);
        Assert.Contains("turn 5", Place(workers, 5).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Leaves_draining_workers_and_other_models_alone()
    {
        WorkerSnapshot[] workers =
        [
            Workers.Create("a", WorkerRole.Mixed, WorkerStatus.Draining), Workers.Create("b", WorkerRole.Mixed, model: "other"), Workers.Create("c", WorkerRole.Mixed),
        ];

        Assert.All(Enumerable.Range(1, 5), turn => Assert.Equal("c", Place(workers, turn).Placement!.Decode.Info.Id));
    }

    [Fact]
    public void Pairs_only_workers_that_can_exchange_blocks()
    {
        WorkerSnapshot[] workers =
        [
            Workers.Create("d1", WorkerRole.Decode), Workers.Create("d2", WorkerRole.Decode, layout: "other"), Workers.Create("d3", WorkerRole.Decode, fingerprint: "other"),
            Workers.Create("p1", WorkerRole.Prefill), Workers.Create("p2", WorkerRole.Prefill, layout: "other"),
        ];

        IEnumerable<string> pairs = Enumerable.Range(1, 12).Select(turn => Place(workers, turn).Placement!).Select(p => p.Prefill!.Info.Id + p.Decode.Info.Id).Distinct();

        Assert.Equal(["p1d1", "p2d2"], pairs.Order());
    }

    [Fact]
    public void Says_why_there_is_no_placement()
    {
        Assert.Equal("No worker of model 'm' is there.", Place([], 1).Reason);
        Assert.Contains("d (Decode)", Place([Workers.Create("d", WorkerRole.Decode)], 1).Reason, StringComparison.Ordinal);
        Assert.Contains("Draining", Place([Workers.Create("x", WorkerRole.Mixed, WorkerStatus.Draining)], 1).Reason, StringComparison.Ordinal);
        PlacementResult mismatch = Place([Workers.Create("d", WorkerRole.Decode), Workers.Create("p", WorkerRole.Prefill, layout: "kv:other")], 1);
        Assert.Null(mismatch.Placement);
        Assert.Contains("kv:other", mismatch.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Replaces_a_failed_prefill_worker()
    {
        WorkerSnapshot decode = Workers.Create("d", WorkerRole.Decode);
        WorkerSnapshot[] workers =
        [
            decode, Workers.Create("m", WorkerRole.Mixed), Workers.Create("p1", WorkerRole.Prefill), Workers.Create("p2", WorkerRole.Prefill),
            Workers.Create("p3", WorkerRole.Prefill, WorkerStatus.Draining), Workers.Create("p4", WorkerRole.Prefill, layout: "other"),
        ];

        Assert.Equal("p2", Replace(workers, decode, "p1"));
        Assert.Equal("m", Replace(workers, decode, "p1", "p2"));
        Assert.Null(Replace(workers, decode, "p1", "p2", "m"));
    }

    private PlacementResult Place(WorkerSnapshot[] workers, long turn) => _policy.Place(new PlacementRequest("m", 10, 1, turn), workers);

    private string? Replace(WorkerSnapshot[] workers, WorkerSnapshot decode, params string[] failed) =>
        _policy.ReplacePrefill(new PlacementRequest("m", 10, 1, 1), workers, decode.Info, failed.ToHashSet())?.Info.Id;
}
