using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Execution;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;
using Xunit;

namespace LlmCluster.Tests.Unit.Cpu;

public sealed class CpuModelRunnerTests
{
    public static TheoryData<ModelArchitecture, CpuIsa, bool> Models
    {
        get
        {
            var data = new TheoryData<ModelArchitecture, CpuIsa, bool>();
            foreach (ModelArchitecture architecture in Enum.GetValues<ModelArchitecture>())
            {
                foreach (CpuIsa isa in Isas.Available)
                {
                    data.Add(architecture, isa, false);
                    data.Add(architecture, isa, true);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Logits_agree_with_a_plain_model_in_double_precision(ModelArchitecture architecture, CpuIsa isa, bool odd)
    {
        ModelConfig config = odd ? TestModel.Odd(architecture) : TestModel.Even(architecture);
        if (architecture == ModelArchitecture.Mistral)
        {
            config = config with { SlidingWindow = 39 };
        }

        using var model = new TestModel(config with { TieWordEmbeddings = odd });
        using CpuModel weights = CpuModel.Load(model.Checkpoint, new CpuOptions { Threads = 2, Isa = isa });
        using var runner = new CpuModelRunner(weights, 16);
        int[] tokens = TestModel.RandomTokens(new Random(7), 150, config.VocabSize);

        SequenceResult result = runner.RunAlone(tokens);

        double[][] expected = new NaiveModel(model.Checkpoint).Logits(tokens);
        double largest = expected.Max(row => row.Max(Math.Abs));
        for (int i = 0; i < tokens.Length; i++)
        {
            double error = expected[i].Zip(result.Logits[i], (e, a) => Math.Abs(e - a)).Max();
            Assert.True(error <= 2e-5 * largest, $"Row {i} is off by {error}; the largest logit is {largest}.");
        }
    }

    [Theory]
    [InlineData(TensorDtype.BF16, 5e-2)]
    [InlineData(TensorDtype.F16, 5e-2)]
    public void Bfloat16_stays_close_to_the_checkpoint(TensorDtype stored, double tolerance)
    {
        using var model = new TestModel(TestModel.Even(), stored);
        using CpuModel weights = CpuModel.Load(model.Checkpoint, new CpuOptions { Threads = 2 });
        using var runner = new CpuModelRunner(weights, 16);
        int[] tokens = TestModel.RandomTokens(new Random(8), 64, model.Config.VocabSize);

        SequenceResult result = runner.RunAlone(tokens);

        Assert.Equal(WeightDtype.BF16, weights.Weights);
        Assert.Equal(KvDtype.BF16, weights.KvLayout.Dtype);
        double[][] expected = new NaiveModel(model.Checkpoint).Logits(tokens);
        double largest = expected.Max(row => row.Max(Math.Abs));
        double error = expected.Select((row, i) => row.Zip(result.Logits[i], (e, a) => Math.Abs(e - a)).Max()).Max();
        Assert.True(error <= tolerance * largest, $"Off by {error}; the largest logit is {largest}.");
    }

    [Fact]
    public void Llama3_scaling_reaches_the_rotary_table()
    {
        ModelConfig config = TestModel.Even() with { RopeScaling = new Llama3RopeScaling(8, 1, 4, 64) };
        using var model = new TestModel(config);
        using CpuModel weights = CpuModel.Load(model.Checkpoint, new CpuOptions { Threads = 1 });
        using var runner = new CpuModelRunner(weights, 16);
        int[] tokens = TestModel.RandomTokens(new Random(9), 40, config.VocabSize);

        SequenceResult result = runner.RunAlone(tokens);

        double[][] expected = new NaiveModel(model.Checkpoint).Logits(tokens);
        double largest = expected.Max(row => row.Max(Math.Abs));
        double error = expected.Select((row, i) => row.Zip(result.Logits[i], (e, a) => Math.Abs(e - a)).Max()).Max();
        Assert.True(error <= 2e-5 * largest, $"Off by {error}; the largest logit is {largest}.");
    }

    [Fact]
    public void The_observer_is_told_once_a_layer_when_its_keys_and_values_are_final()
    {
        using var model = new TestModel(TestModel.Odd() with { Layers = 3 });
        using CpuModel weights = CpuModel.Load(model.Checkpoint, new CpuOptions { Threads = 2 });
        using var runner = new CpuModelRunner(weights, 40);
        int[] tokens = TestModel.RandomTokens(new Random(3), 500, model.Config.VocabSize);
        int[] blocks = [.. Enumerable.Range(0, 32)];
        var batch = new ForwardBatch();
        batch.Add(tokens, 0, blocks, 1);
        var observer = new Recorder(runner.KvStore, blocks, tokens.Length);

        runner.Forward(batch, new float[model.Config.VocabSize], observer);

        Assert.Equal([0, 1, 2], observer.Layers);
        for (int layer = 0; layer < 3; layer++)
        {
            Assert.Equal(runner.KvStore.ReadKv(layer, blocks, tokens.Length), observer.Kv[layer]);
        }
    }

    [Fact]
    public void A_steady_state_pass_allocates_nothing()
    {
        using var model = new TestModel(TestModel.Even());
        using CpuModel weights = CpuModel.Load(model.Checkpoint, new CpuOptions { Threads = 2 });
        using var runner = new CpuModelRunner(weights, 16);
        var batch = new ForwardBatch();
        var logits = new float[model.Config.VocabSize];
        int[] tokens = TestModel.RandomTokens(new Random(3), 100, model.Config.VocabSize);
        int[] blocks = [.. Enumerable.Range(0, 7)];
        for (int i = 0; i < 3; i++)
        {
            Run();
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        Run();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Run()
        {
            batch.Clear();
            batch.Add(tokens, 0, blocks, 1);
            runner.Forward(batch, logits);
        }
    }

    [Fact]
    public void Two_runners_of_one_model_run_at_the_same_time()
    {
        using var model = new TestModel(TestModel.Odd());
        using CpuModel weights = CpuModel.Load(model.Checkpoint, new CpuOptions { Threads = 2 });
        using var first = new CpuModelRunner(weights, 16);
        using var second = new CpuModelRunner(weights, 16);
        int[] tokens = TestModel.RandomTokens(new Random(3), 100, model.Config.VocabSize);
        SequenceResult expected = first.RunAlone(tokens);

        Parallel.Invoke(() => Repeat(first), () => Repeat(second));

        void Repeat(CpuModelRunner runner)
        {
            for (int i = 0; i < 20; i++)
            {
                SequenceResult result = runner.RunAlone(tokens);
                Assert.Equal(expected.Logits[99], result.Logits[99]);
                Assert.Equal(expected.Kv[1], result.Kv[1]);
            }
        }
    }

    [Fact]
    public void The_fingerprint_names_all_that_decides_bits()
    {
        using var model = new TestModel(TestModel.Odd());
        string[] fingerprints = [.. new[]
        {
            new CpuOptions { Isa = CpuIsa.Portable },
            new CpuOptions { Isa = CpuIsa.Portable, Weights = WeightDtype.BF16 },
            new CpuOptions { Isa = CpuIsa.Portable, Kv = KvDtype.BF16 },
            new CpuOptions { Isa = CpuIsa.Portable, BlockSize = 32 },
            new CpuOptions { Isa = CpuIsaSupport.Best },
        }.Select(options =>
        {
            using CpuModel weights = CpuModel.Load(model.Checkpoint, options);
            return weights.Fingerprint;
        })];

        Assert.Equal(fingerprints.Length, fingerprints.Distinct().Count() + (CpuIsaSupport.Best == CpuIsa.Portable ? 1 : 0));
        Assert.All(fingerprints, f => Assert.StartsWith(model.Checkpoint.Fingerprint, f, StringComparison.Ordinal));
    }

    [Fact]
    public void A_disposed_runner_refuses_to_run()
    {
        using var model = new TestModel(TestModel.Odd());
        using CpuModel weights = CpuModel.Load(model.Checkpoint, new CpuOptions { Threads = 2 });
        var runner = new CpuModelRunner(weights, 4);
        IKvBlockStore store = runner.KvStore;
        runner.Dispose();

        Assert.Throws<ObjectDisposedException>(() => runner.RunAlone([1, 2, 3]));
        Assert.Throws<ObjectDisposedException>(() => store.Read(0, 0, 0, new byte[8]));
    }

    private sealed class Recorder(IKvBlockStore store, int[] blocks, int count) : IForwardObserver
    {
        public List<int> Layers { get; } = [];

        public List<byte[]> Kv { get; } = [];

        public void OnLayerWritten(int layer)
        {
            Layers.Add(layer);
            Kv.Add(store.ReadKv(layer, blocks, count));
        }
    }
}
