using LlmCluster.Bench.Routing;
using LlmCluster.Bench.Traces;
using LlmCluster.Gateway.Placement;
using Xunit;

namespace LlmCluster.Tests.Unit.Bench.Routing;

public sealed class SimulatedClusterTests
{
    private static readonly RoutingBenchmarkOptions Options = new() { Trace = "-", Prefill = 3, Decode = 2, PoolBlocks = 400 };

    [Fact]
    public void One_request_takes_what_the_model_says()
    {
        // 1,000 tokens at 8,000 a second with attention; two blocks of 64 MiB at 10 GB a second, of which 1/32 comes last; then 9 steps.
        SimulatedRequest request = Assert.Single(Run("round-robin", Options, [new TraceRequest(0, 1000, 10, [1, 2])]).Requests);

        double prefill = (1000 + (1000.0 * 1000 / 2 / 50_000)) / 8000;
        double transfer = 2 * 512 * 128 * 1024 / 1e10;
        Assert.Equal(prefill + (transfer / 32) + 0.001, request.Ttft, 9);
        Assert.Equal(0.0206, request.Tpot, 9);
    }

    [Fact]
    public void A_second_turn_hits_a_fetch_takes_the_link_and_a_decode_worker_can_compute_itself()
    {
        TraceRequest[] trace = [new(0, 5120, 10, Ids(0, 10)), new(10_000, 10_240, 10, Ids(0, 20))];
        SimulatedRequest second = Run("prefix-affinity", Options, trace).Requests[1];
        Assert.Equal((5120, 0), (second.CachedTokens, second.FetchedTokens));

        // Only the decode workers and p1 hold it, and p1 is busy with a long prompt.
        trace = [trace[0], new(9_999, 100_000, 10, Ids(1000, 196)), trace[1] with { InputTokens = 5200, HashIds = Ids(0, 11) }];
        SimulatedRequest third = Run("cost", Options, trace).Requests[2];
        Assert.Equal(5120, third.CachedTokens);
        Assert.True(third.Ttft < 1);
    }

    [Theory]
    [InlineData("cost")]
    [InlineData("round-robin")]
    [InlineData("least-loaded")]
    [InlineData("power-of-two")]
    [InlineData("prefix-affinity")]
    [InlineData("least-predicted-load")]
    public void Every_request_ends_once_and_leaves_nothing_behind(string policy)
    {
        TraceRequest[] trace = Conversations(300, seed: 3);
        foreach (RoutingBenchmarkOptions options in new[] { Options, Options with { Mixed = 2 }, Options with { Prefill = 0, Decode = 0, Mixed = 3, PoolBlocks = 100, QueueLimit = 20 } })
        {
            SimulatedCluster cluster = Run(policy, options, trace);

            Assert.Equal(trace.Length, cluster.Requests.Count);
            Assert.All(cluster.Requests.Where(r => !r.Rejected), r =>
            {
                Assert.Equal(r.OutputTokens, r.Generated);
                Assert.Equal(r.PromptTokens, r.Computed);
                Assert.InRange(r.CachedTokens, 0, r.PromptTokens - 1);
                Assert.True(r.Arrival <= r.ComputeStart && r.ComputeStart < r.FirstToken && r.FirstToken <= r.LastToken);
            });
            Assert.All(cluster.Workers, worker =>
            {
                Assert.Equal(default, worker.Reserved);
                Assert.Equal(0, worker.Cache.Referenced);
            });
            Assert.Equal(Times(cluster), Times(Run(policy, options, trace)));
        }
    }

    [Fact]
    public void One_worker_with_room_for_all_hits_as_often_as_can_be()
    {
        TraceRequest[] trace = Conversations(200, seed: 5);
        RoutingBenchmarkOptions options = Options with { Prefill = 0, Decode = 0, Mixed = 1, PoolBlocks = 1_000_000 };

        PolicyFigures figures = PolicyFigures.Of(Run("cost", options, trace));

        double best = RoutingBenchmark.BestHitRate(trace, 1_000_000);
        Assert.True(best > 0.3);
        Assert.Equal(best, figures.HitRate, 3);
        Assert.Equal((0, 1.0), (figures.Rejected, figures.Balance));
    }

    [Fact]
    public void Beyond_the_limit_requests_are_rejected_and_counted()
    {
        TraceRequest[] trace = [.. Enumerable.Range(0, 50).Select(i => new TraceRequest(0, 20_000, 5, Ids(i * 100, 40)))];
        PolicyFigures figures = PolicyFigures.Of(Run("least-loaded", Options with { QueueLimit = 10 }, trace));

        // No rate is measured yet, and at the 4,000 tokens/s that are assumed a second prompt of a worker would take 10 s and its transfer.
        Assert.Equal((3, 47), (figures.Served, figures.Rejected));
    }

    [Fact]
    public void By_cost_hits_more_and_is_sooner_than_taking_turns()
    {
        TraceRequest[] trace = Conversations(400, seed: 7);
        PolicyFigures cost = PolicyFigures.Of(Run("cost", Options, trace));
        PolicyFigures turns = PolicyFigures.Of(Run("round-robin", Options, trace));
        Assert.True(cost.HitRate > 1.3 * turns.HitRate && cost.TtftP99 < turns.TtftP99 && cost.TtftP50 < turns.TtftP50, $"{cost}\n{turns}");
    }

    private static SimulatedCluster Run(string policy, RoutingBenchmarkOptions options, TraceRequest[] trace) =>
        SimulatedCluster.Run(options, PlacementPolicies.Create(policy), trace, TestContext.Current.CancellationToken);

    private static (double, double)[] Times(SimulatedCluster cluster) => [.. cluster.Requests.Select(r => (r.FirstToken, r.LastToken))];

    private static long[] Ids(long first, int count) => [.. Enumerable.Range(0, count).Select(i => first + i)];

    // Conversations that grow by a few blocks each turn.
    private static TraceRequest[] Conversations(int count, int seed)
    {
        var random = new Random(seed);
        var conversations = new Dictionary<int, int>();
        var requests = new TraceRequest[count];
        for (int i = 0; i < count; i++)
        {
            int conversation = random.Next(count / 4);
            int tokens = conversations[conversation] = conversations.GetValueOrDefault(conversation) + random.Next(200, 5000);
            int blocks = (tokens + 511) / 512;

            // The last block of a turn is not full, and so another one than that of the next turn.
            long[] ids = [.. Ids(conversation * 10_000L, blocks - 1), (conversation * 10_000L) + 5000 + i];
            requests[i] = new TraceRequest(i / 4 * 800, tokens, random.Next(1, 300), ids);
        }

        return requests;
    }
}
