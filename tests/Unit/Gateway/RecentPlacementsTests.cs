using LlmCluster.Cluster;
using LlmCluster.Gateway.Dispatch;
using LlmCluster.Gateway.Placement;
using Xunit;

namespace LlmCluster.Tests.Unit.Gateway;

public sealed class RecentPlacementsTests
{
    private static readonly PlacementRequest Request = new("m", 320, 2, 1);

    private readonly RecentPlacements _recent = new();

    [Fact]
    public void What_was_placed_counts_until_the_worker_reports_again()
    {
        WorkerSnapshot mixed = Worker("m", WorkerRole.Mixed, report: 4);
        _recent.Add(new RequestPlacement(null, mixed, ""), Request);
        _recent.Add(new RequestPlacement(null, mixed, ""), Request);

        WorkerLoad load = Assert.Single(_recent.AddTo([mixed])).Load;
        Assert.Equal((5, 644, 401L, 90), (load.Waiting, load.WaitingTokens, load.PredictedTokens, load.PredictedBlocks));
        WorkerSnapshot later = Worker("m", WorkerRole.Mixed, report: 5);
        Assert.Equal([later], _recent.AddTo([later]));
        Assert.Equal([mixed], _recent.AddTo([mixed]));
    }

    [Fact]
    public void Prompts_count_where_they_are_computed_and_outputs_where_they_are_generated()
    {
        WorkerSnapshot prefill = Worker("p", WorkerRole.Prefill, report: 1);
        WorkerSnapshot decode = Worker("d", WorkerRole.Decode, report: 1);
        _recent.Add(new RequestPlacement(prefill, decode, ""), Request);

        IReadOnlyList<WorkerSnapshot> loaded = _recent.AddTo([prefill, decode]);
        Assert.Equal((4 + 320, 1L), (loaded[0].Load.WaitingTokens, loaded[0].Load.PredictedTokens));
        Assert.Equal((4, 1L + 200), (loaded[1].Load.WaitingTokens, loaded[1].Load.PredictedTokens));
    }

    [Fact]
    public void Workers_that_do_not_number_their_reports_and_those_that_left_are_forgotten()
    {
        WorkerSnapshot old = Worker("old", WorkerRole.Mixed, report: 0);
        _recent.Add(new RequestPlacement(null, old, ""), Request);
        Assert.Equal([old], _recent.AddTo([old]));

        WorkerSnapshot gone = Worker("gone", WorkerRole.Mixed, report: 3);
        _recent.Add(new RequestPlacement(null, gone, ""), Request);
        _recent.AddTo([]);
        Assert.Equal([gone], _recent.AddTo([gone]));
    }

    [Fact]
    public void Requests_between_two_reports_are_spread()
    {
        var policy = new LeastPredictedLoadPolicy();
        WorkerSnapshot[] workers = [Worker("a", WorkerRole.Mixed, report: 1), Worker("b", WorkerRole.Mixed, report: 1), Worker("c", WorkerRole.Mixed, report: 1)];
        List<string> places = [];
        for (int turn = 1; turn <= 30; turn++)
        {
            PlacementRequest request = Request with { Turn = turn };
            RequestPlacement placement = policy.Place(request, _recent.AddTo(workers)).Placement!;
            _recent.Add(placement, request);
            places.Add(placement.Decode.Info.Id);
        }

        Assert.All(places.CountBy(id => id), count => Assert.Equal(10, count.Value));
    }

    private static WorkerSnapshot Worker(string id, WorkerRole role, long report) => Workers.Create(id, role) with
    {
        Load = new WorkerLoad { Waiting = 1, WaitingTokens = 4, PredictedTokens = 1, PredictedBlocks = 26, MedianOutput = 100, Report = report },
    };
}
