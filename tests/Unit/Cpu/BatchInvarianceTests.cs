using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Execution;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;
using Xunit;

namespace LlmCluster.Tests.Unit.Cpu;

/// <summary>
/// A row's logits and the K/V written for a token depend on the sequence alone: random batches of chunks of several
/// sequences, with other block tables and block sizes, leave the bits of each sequence run alone.
/// </summary>
public sealed class BatchInvarianceTests
{
    private static readonly int[] BlockSizes = [1, 7, 16, 32];

    public static TheoryData<CpuIsa, WeightDtype, KvDtype> Formats
    {
        get
        {
            var data = new TheoryData<CpuIsa, WeightDtype, KvDtype>();
            foreach (CpuIsa isa in Isas.Available)
            {
                foreach (WeightDtype weights in Enum.GetValues<WeightDtype>())
                {
                    foreach (KvDtype kv in Enum.GetValues<KvDtype>())
                    {
                        data.Add(isa, weights, kv);
                    }
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Ragged_batches_leave_the_bits_of_each_sequence_alone(CpuIsa isa, WeightDtype weights, KvDtype kv)
    {
        using var odd = new TestModel(TestModel.Odd());
        Check(odd, isa, weights, kv, seed: 1, rounds: 3, longest: 150);
        using var even = new TestModel(TestModel.Even(ModelArchitecture.Qwen2));
        Check(even, isa, weights, kv, seed: 2, rounds: 3, longest: 150);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void So_they_do_with_a_sliding_window_and_normed_heads(CpuIsa isa, WeightDtype weights, KvDtype kv)
    {
        using var mistral = new TestModel(TestModel.Odd(ModelArchitecture.Mistral) with { SlidingWindow = 45 });
        Check(mistral, isa, weights, kv, seed: 3, rounds: 3, longest: 150);
        using var qwen = new TestModel(TestModel.Odd(ModelArchitecture.Qwen3) with { Heads = 8, KvHeads = 8, HeadDim = 16 });
        Check(qwen, isa, weights, kv, seed: 4, rounds: 3, longest: 150);
    }

    [Fact]
    public void So_do_long_products_in_blocks_and_prompts_of_several_chunks()
    {
        ModelConfig config = TestModel.Even() with { HiddenSize = 800, IntermediateSize = 900, Layers = 1 };
        using var model = new TestModel(config);
        Check(model, CpuIsaSupport.Best, WeightDtype.BF16, KvDtype.BF16, seed: 5, rounds: 2, longest: 700);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(700)]
    public void So_does_decoding_a_long_context_whose_parts_threads_share(int? window)
    {
        using var model = new TestModel(TestModel.Even() with { Layers = 1, SlidingWindow = window, Architecture = window is null ? ModelArchitecture.Llama : ModelArchitecture.Mistral });
        int[] tokens = TestModel.RandomTokens(new Random(6), 1100, model.Config.VocabSize);
        foreach (CpuIsa isa in Isas.Available)
        {
            var options = new CpuOptions { Isa = isa, Weights = WeightDtype.F32, Kv = KvDtype.Int8 };
            using CpuModel alone = CpuModel.Load(model.Checkpoint, options with { Threads = 1 });
            using var runner = new CpuModelRunner(alone, alone.KvLayout.BlocksFor(tokens.Length));
            SequenceResult expected = runner.RunAlone(tokens);

            using CpuModel shared = CpuModel.Load(model.Checkpoint, options with { Threads = 7 });
            using var decode = new CpuModelRunner(shared, shared.KvLayout.BlocksFor(tokens.Length));
            int[] blocks = [.. Enumerable.Range(0, decode.KvStore.BlockCount)];
            var batch = new ForwardBatch();
            var logits = new float[model.Config.VocabSize];
            int done = 0;
            while (done < tokens.Length)
            {
                // In one go to just before the third part begins, then token by token, then far into it.
                int count = done == 0 ? 1020 : done < 1030 ? 1 : Math.Min(65, tokens.Length - done);
                batch.Clear();
                batch.Add(tokens.AsSpan(done, count), done, blocks, 1);
                decode.Forward(batch, logits);
                done += count;
                Assert.Equal(expected.Logits[done - 1].Select(BitConverter.SingleToUInt32Bits), logits.Select(BitConverter.SingleToUInt32Bits));
            }
        }
    }

    private static void Check(TestModel model, CpuIsa isa, WeightDtype weights, KvDtype kv, int seed, int rounds, int longest)
    {
        var random = new Random(seed);
        var options = new CpuOptions { Isa = isa, Weights = weights, Kv = kv };
        using CpuModel alone = CpuModel.Load(model.Checkpoint, options with { Threads = 1, BlockSize = 16 });
        for (int round = 0; round < rounds; round++)
        {
            int[][] sequences = [.. Enumerable.Range(0, random.Next(1, 5)).Select(_ =>
                TestModel.RandomTokens(random, random.Next(1, longest), model.Config.VocabSize))];
            SequenceResult[] expected = [.. sequences.Select(tokens =>
            {
                using var runner = new CpuModelRunner(alone, alone.KvLayout.BlocksFor(tokens.Length));
                return runner.RunAlone(tokens);
            })];
            int blockSize = BlockSizes[random.Next(BlockSizes.Length)];
            using CpuModel together = CpuModel.Load(model.Checkpoint, options with { Threads = 2, BlockSize = blockSize });
            SequenceResult[] actual = RunTogether(together, sequences, random);
            for (int i = 0; i < sequences.Length; i++)
            {
                AssertSameBits(expected[i], actual[i]);
            }
        }
    }

    private static void AssertSameBits(SequenceResult expected, SequenceResult actual)
    {
        Assert.NotEmpty(actual.Logits);
        foreach ((int position, float[] row) in actual.Logits)
        {
            Assert.Equal(
                expected.Logits[position].Select(BitConverter.SingleToUInt32Bits),
                row.Select(BitConverter.SingleToUInt32Bits));
        }

        for (int layer = 0; layer < expected.Kv.Length; layer++)
        {
            Assert.True(expected.Kv[layer].AsSpan().SequenceEqual(actual.Kv[layer]), $"K/V of layer {layer} differ.");
        }
    }

    private static SequenceResult[] RunTogether(CpuModel model, int[][] sequences, Random random)
    {
        KvLayout layout = model.KvLayout;
        int[] needs = [.. sequences.Select(s => layout.BlocksFor(s.Length))];
        int blockCount = needs.Sum() + 3;
        using var runner = new CpuModelRunner(model, blockCount);
        FillWithNonsense(runner.KvStore);
        int[] shuffled = [.. Enumerable.Range(0, blockCount)];
        random.Shuffle(shuffled);
        int[][] tables = [.. needs.Select((need, i) => shuffled[needs[..i].Sum()..][..need])];
        Dictionary<int, float[]>[] logits = [.. sequences.Select(_ => new Dictionary<int, float[]>())];
        int[] done = new int[sequences.Length];
        var batch = new ForwardBatch();
        while (done.Where((d, i) => d < sequences[i].Length).Any())
        {
            batch.Clear();
            var asked = new List<(int Sequence, int Position)>();
            foreach (int i in Enumerable.Range(0, sequences.Length).OrderBy(_ => random.Next()))
            {
                int left = sequences[i].Length - done[i];
                if (left == 0 || random.Next(4) == 0)
                {
                    continue;
                }

                int count = random.Next(3) switch { 0 => 1, 1 => random.Next(1, Math.Min(left, 40) + 1), _ => random.Next(1, left + 1) };
                int rows = count == left ? random.Next(1, count + 1) : random.Next(0, count + 1);
                batch.Add(sequences[i].AsSpan(done[i], count), done[i], tables[i], rows);
                asked.AddRange(Enumerable.Range(done[i] + count - rows, rows).Select(position => (i, position)));
                done[i] += count;
            }

            if (batch.SequenceCount == 0)
            {
                continue;
            }

            var output = new float[batch.LogitRows * model.Config.VocabSize];
            runner.Forward(batch, output);
            for (int i = 0; i < asked.Count; i++)
            {
                logits[asked[i].Sequence][asked[i].Position] = output.AsSpan(i * model.Config.VocabSize, model.Config.VocabSize).ToArray();
            }
        }

        return [.. sequences.Select((tokens, i) => new SequenceResult(
            logits[i],
            [.. Enumerable.Range(0, model.Config.Layers).Select(layer => runner.KvStore.ReadKv(layer, tables[i], tokens.Length))]))];
    }

    // Not-a-numbers where nobody has written: whoever looks there shows it.
    private static void FillWithNonsense(IKvBlockStore store)
    {
        var bytes = new byte[store.Layout.LayerBlockBytes];
        bytes.AsSpan().Fill(0xFF);
        for (int layer = 0; layer < store.Layout.Layers; layer++)
        {
            for (int block = 0; block < store.BlockCount; block++)
            {
                store.Write(layer, block, 0, bytes);
            }
        }
    }
}
