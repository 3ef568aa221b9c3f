using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Execution;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Sampling;
using LlmCluster.Tests.Unit.Cpu;
using Xunit;

namespace LlmCluster.Tests.Unit.Engine;

/// <summary>
/// Decode leaves nothing to the garbage collector but lists that grow by half or double once in many steps: a sequence's tokens, its blocks and their hashes, tokens
/// that wait for their reader, and the table of the pool.
/// </summary>
public sealed class DecodeAllocationTests
{
    private const int Sequences = 3;
    private const int GrowingLists = 5;
    private const int Warm = 200;
    private const int Measured = 120;

    [Theory]
    [InlineData(WeightDtype.F32, 0f)]
    [InlineData(WeightDtype.BF16, 0.7f)]
    [InlineData(WeightDtype.Q8, 0f)]
    public async Task A_step_of_decode_allocates_nothing(WeightDtype dtype, float temperature)
    {
        using var model = new TestModel(TestModel.Even());
        using CpuModel weights = CpuModel.Load(model.Checkpoint, new CpuOptions { Threads = 1, Weights = dtype });
        using var runner = new AllocationMeter(new CpuModelRunner(weights, 200));
        await using (var engine = new InferenceEngine(runner, new EngineOptions()))
        {
            IGeneration[] generations = [.. Enumerable.Range(0, Sequences).Select(i => engine.Submit(new GenerationRequest
            {
                Id = $"s{i}",
                Prompt = [1 + i, 2, 3, 4],
                Sampling = new SamplingOptions { Temperature = temperature, TopP = 0.9f, TopK = 20, Seed = 3 },
                MaxTokens = Warm + Measured + 20,
                IgnoreEos = true,
            }))];
            foreach (IGeneration generation in generations)
            {
                await generation.ReadToEndAsync();
            }
        }

        long[] steps = [.. runner.Steps.Skip(Warm).Take(Measured)];
        Assert.Equal(Measured, steps.Length);
        int clean = steps.Count(static bytes => bytes == 0);
        Assert.True(clean >= Measured - (Sequences * GrowingLists), $"{Measured - clean} of {Measured} steps allocated: {string.Join(' ', steps)} bytes.");
    }

    /// <summary>Measures what the engine's thread allocates from the end of one forward pass to the end of the next.</summary>
    private sealed class AllocationMeter(IModelRunner inner) : IModelRunner
    {
        private long _before;

        public List<long> Steps { get; } = new(4096);

        public ModelConfig Config => inner.Config;

        public IKvBlockStore KvStore => inner.KvStore;

        public string Fingerprint => inner.Fingerprint;

        public void Forward(ForwardBatch batch, Span<float> logits, IForwardObserver? observer = null)
        {
            inner.Forward(batch, logits, observer);
            long now = GC.GetAllocatedBytesForCurrentThread();
            Steps.Add(now - _before);
            _before = now;
        }

        public void Dispose() => inner.Dispose();
    }
}
