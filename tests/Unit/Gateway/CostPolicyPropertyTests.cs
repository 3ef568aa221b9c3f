using FsCheck;
using FsCheck.Fluent;
using LlmCluster.Cluster;
using LlmCluster.Cluster.Reservations;
using LlmCluster.Gateway.Placement;
using Xunit;

namespace LlmCluster.Tests.Unit.Gateway;

/// <summary>Whatever the workers' loads, rates and caches: what each policy chooses is a way, and what <c>cost</c> chooses no other way beats in every respect.</summary>
public sealed class CostPolicyPropertyTests
{
    [Fact]
    public void No_other_way_is_sooner_and_no_worse_in_anything_else() => ForAll(scene =>
    {
        PlacementResult result = new CostPolicy().Place(scene.Request, scene.Workers);
        if (result.Placement is not { } placement)
        {
            Assert.DoesNotContain(scene.Workers, worker => worker.Info.Role == WorkerRole.Mixed);
            return;
        }

        WayCost chosen = Cost(scene, placement.Prefill, placement.Decode, placement.FetchFrom);
        double near = Math.Max(0.001, 0.03 * chosen.Total) + 1e-9;
        WorkerSnapshot[] decode = [.. scene.Workers.Where(w => w.Info.Role == WorkerRole.Decode)];
        WorkerSnapshot[] prefill = [.. scene.Workers.Where(w => w.Info.Role == WorkerRole.Prefill)];
        int most = scene.Workers.Max(w => scene.Request.HeldBy(w).Any);
        WorkerSnapshot?[] sources = [null, placement.FetchFrom ?? scene.Workers.First(w => scene.Request.HeldBy(w).Any == most)];
        IEnumerable<(WorkerSnapshot?, WorkerSnapshot)> ways = prefill.SelectMany(_ => decode, (p, d) => ((WorkerSnapshot?)p, d))
            .Concat((prefill.Length > 0 ? decode : []).Concat(scene.Workers.Where(w => w.Info.Role == WorkerRole.Mixed)).Select(w => ((WorkerSnapshot?)null, w)));
        foreach ((WorkerSnapshot? first, WorkerSnapshot second) in ways)
        {
            foreach (WorkerSnapshot? source in sources.Where(s => s is null || (s.Info.BlockBytes > 0 && s.Load.TransferRate == 1e6)))
            {
                WayCost other = Cost(scene, first, second, source);
                Assert.True(other.Rank >= chosen.Rank, $"{first?.Info.Id}>{second.Info.Id}: {other} beats {result.Reason}: {chosen}");
                Assert.False(
                    other.Rank == chosen.Rank && other.Ttft < chosen.Ttft - near && other.Tpot <= chosen.Tpot && other.Charge <= chosen.Charge,
                    $"{first?.Info.Id}>{second.Info.Id}: {other} beats {result.Reason}: {chosen}");
            }
        }
    });

    [Fact]
    public void What_is_foreseen_is_the_same_by_the_policy_and_by_the_estimator() => ForAll(scene =>
    {
        if (new CostPolicy().Place(scene.Request, scene.Workers).Placement is { } placement)
        {
            RequestPlacement again = PlacementEstimator.Foresee(placement with { Estimate = null, ReusedTokens = 0 }, scene.Request, scene.Workers);
            Assert.Equal(placement, again);
            Assert.InRange(placement.ReusedTokens, 0, scene.Request.PromptTokens - 1);
        }
    });

    [Fact]
    public void Every_policy_chooses_workers_that_can_serve_and_the_same_again() => ForAll(scene =>
    {
        WorkerSnapshot[] workers = [.. scene.Workers.Select((w, i) => i % 3 == 2 ? w with { Status = WorkerStatus.Draining } : w)];
        foreach (string name in PlacementPolicies.Names)
        {
            IPlacementPolicy policy = PlacementPolicies.Create(name);
            PlacementResult result = policy.PlaceForeseen(scene.Request, workers);
            Assert.Equal(result, PlacementPolicies.Create(name).PlaceForeseen(scene.Request, workers));
            if (result.Placement is { } placement)
            {
                Assert.Equal(WorkerStatus.Ready, placement.Decode.Status);
                Assert.NotEqual(WorkerStatus.Draining, placement.Prefill?.Status);
                Assert.Equal(placement.Prefill is null, placement.Computes == placement.Decode);
                Assert.NotEqual(WorkerRole.Prefill, placement.Decode.Info.Role);
                Assert.NotNull(placement.Estimate);
                Assert.All(RoomClaims.For(placement, scene.Request), claim => Assert.InRange(claim.Blocks, 0, claim.BlockLimit));
            }
        }
    });

    private static void ForAll(Action<Scene> check) => Prop.ForAll(
        ArbMap.Default.GeneratorFor<int>().Select(Scene.Create).ToArbitrary(), check).Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    private static WayCost Cost(Scene scene, WorkerSnapshot? prefill, WorkerSnapshot decode, WorkerSnapshot? source)
    {
        var model = new CostModel(scene.Request, GroupRates.Of(scene.Workers));
        ComputeCost compute = model.Compute(prefill ?? decode, source);
        return prefill is null ? model.Alone(compute, model.Decode(decode)) : model.Pair(compute, model.Decode(decode));
    }

    public sealed record Scene(PlacementRequest Request, WorkerSnapshot[] Workers)
    {
        public static Scene Create(int seed)
        {
            var random = new Random(seed);
            WorkerSnapshot[] workers = [.. Enumerable.Range(0, random.Next(1, 8)).Select(i => Worker(random, i))];
            int prompt = random.Next(1, 5000);
            var held = workers.Where(_ => random.Next(2) == 0).ToDictionary(w => w.Info.Id, _ =>
            {
                int any = random.Next(0, prompt + 100);
                return new HeldTokens(random.Next(any + 1), any);
            });
            return new Scene(
                new PlacementRequest("m", prompt, random.Next(1, 4), random.Next(1, 1000))
                {
                    Held = held,
                    MaxOutputTokens = random.Next(3) * 500,
                    TpotTarget = random.Next(2) == 0 ? null : TimeSpan.FromMilliseconds(random.Next(10, 100)),
                },
                workers);
        }

        private static WorkerSnapshot Worker(Random random, int number)
        {
            WorkerSnapshot worker = PlacementWorkers.Create($"w{number}", (WorkerRole)random.Next(3), random.Next(3) * random.Next(3000), random.Next(20));
            return worker with
            {
                // Small blocks and a rate known or not: all links are equal, so that the one that holds most is the best to fetch from.
                Info = worker.Info with { BlockBytes = random.Next(4) == 0 ? 0 : 4000 },
                Load = worker.Load with
                {
                    PrefillRate = random.Next(3) * 1000,
                    TransferRate = 1e6,
                    StepTime = random.Next(4) * 0.02,
                    WaitingTokens = random.Next(2000),
                    Waiting = random.Next(3),
                },
                Reserved = worker.Reserved with { Blocks = random.Next(1100) },
            };
        }
    }
}
