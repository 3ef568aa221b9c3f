using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache.Tiers;
using LlmCluster.Testing;
using Xunit;
using static LlmCluster.Tests.Unit.Engine.EngineTestExtensions;

namespace LlmCluster.Tests.Unit.Engine.Tiers;

/// <summary>
/// Random requests on random small engines with random small tiers, cancelled at random: every answer is the oracle's, and in the end every block is given back.
/// </summary>
public sealed class TieredWorkloadTests : IDisposable
{
    private const int Workloads = 40;
    private const int Again = 8;

    private readonly TempDirectory _directory = new("tiers");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task One_engine_answers_as_the_oracle_does()
    {
        long promotions = 0;
        long disk = 0;
        for (int seed = 0; seed < Workloads; seed++)
        {
            var workload = new Workload(seed);
            using HashModel model = workload.NewModel();
            var log = new CountingLogger();
            await using var engine = new InferenceEngine(model, workload.Options with { AdmissionQuantile = 0 }, log, Tiers(workload));
            List<GenerationRequest> requests = workload.Requests(workload.Next(20) + 6);
            int[] patience = [.. requests.Select(_ => workload.Next(4) == 0 ? workload.Next(12) : int.MaxValue)];

            await Task.WhenAll(requests.Select(
                (request, i) => Task.Run(() => RandomWorkloadTests.GenerateAsync(engine, model, request, patience[i])))).WaitAsync(Deadline);

            // Once more: what the pool has no more comes from below.
            foreach (GenerationRequest request in requests.Take(Again))
            {
                await RandomWorkloadTests.GenerateAsync(engine, model, request, int.MaxValue).WaitAsync(Deadline);
            }

            await engine.AssertNoBlockHeldAsync();
            promotions += engine.Tiers!.Host.Promotions;
            disk += engine.Tiers.Disk!.Promotions;
            Assert.Equal(0, log.Errors);
        }

        // The workloads are hard enough to mean something.
        Assert.True(promotions > 100, $"{promotions} promotions");
        Assert.True(disk > 5, $"{disk} blocks came from the disk");
    }

    [Fact]
    public async Task A_prefill_and_a_decode_engine_answer_as_the_oracle_does()
    {
        long promotions = 0;
        for (int seed = 1000; seed < 1000 + Workloads; seed++)
        {
            var workload = new Workload(seed);
            using HashModel prefillModel = workload.NewModel();
            using HashModel decodeModel = workload.NewModel();
            await using var prefill = new InferenceEngine(prefillModel, workload.Options, tiers: Tiers(workload));
            await using var decode = new InferenceEngine(decodeModel, workload.Options, tiers: Tiers(workload));
            List<GenerationRequest> requests = workload.Requests(workload.Next(16) + 4);
            int[] kinds = [.. requests.Select(_ => workload.Next(8))];

            await Task.WhenAll(requests.Select((request, i) => Task.Run(() => kinds[i] switch
            {
                0 => RandomWorkloadTests.GenerateAsync(decode, decodeModel, request, int.MaxValue),
                1 => RandomWorkloadTests.GenerateAsync(prefill, prefillModel, request, int.MaxValue),
                _ => RandomWorkloadTests.TransferAsync(prefill, decode, decodeModel, request, cancelEarly: kinds[i] == 2),
            }))).WaitAsync(Deadline);
            foreach (GenerationRequest request in requests.Take(Again))
            {
                await RandomWorkloadTests.TransferAsync(prefill, decode, decodeModel, request, cancelEarly: false).WaitAsync(Deadline);
            }

            await prefill.AssertNoBlockHeldAsync();
            await decode.AssertNoBlockHeldAsync();
            promotions += prefill.Tiers!.Host.Promotions + decode.Tiers!.Host.Promotions;
        }

        Assert.True(promotions > 100, $"{promotions} promotions");
    }

    // Small enough to overflow; often too slow to wait for.
    private KvTierOptions Tiers(Workload workload) => new()
    {
        HostBlocks = 4 + workload.Next(12),
        DiskPath = _directory.Path,
        DiskBlocks = 20 + workload.Next(200),
        WriteAhead = workload.Next(4) * 0.25,
        LoadTimeout = workload.Next(4) == 0 ? TimeSpan.FromMilliseconds(1) : TimeSpan.FromSeconds(60),
    };
}
