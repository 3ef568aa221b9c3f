using System.Runtime.InteropServices;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Execution;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using LlmCluster.Testing;

namespace LlmCluster.Tests.Unit.Cpu;

/// <summary>A random checkpoint in a temporary directory.</summary>
internal sealed class TestModel : IDisposable
{
    private readonly TempDirectory _directory = new("cpu");

    public TestModel(ModelConfig config, TensorDtype dtype = TensorDtype.F32, ulong seed = 1)
    {
        RandomCheckpoint.Write(config, seed, _directory.Combine("model"), new RandomCheckpointOptions { Dtype = dtype });
        Checkpoint = Checkpoint.Open(_directory.Combine("model"));
    }

    public Checkpoint Checkpoint { get; }

    public ModelConfig Config => Checkpoint.Config;

    /// <summary>Sizes that fill no panel and no vector: every remainder is taken.</summary>
    public static ModelConfig Odd(ModelArchitecture architecture = ModelArchitecture.Llama) => new()
    {
        Architecture = architecture,
        VocabSize = 301,
        HiddenSize = 72,
        IntermediateSize = 100,
        Layers = 2,
        Heads = 6,
        KvHeads = 2,
        HeadDim = 20,
        MaxPositions = 2048,
        RmsNormEps = 1e-5f,
        RopeTheta = 10_000,
        TieWordEmbeddings = false,
        QkvBias = architecture == ModelArchitecture.Qwen2,
        QkNorm = architecture == ModelArchitecture.Qwen3,
    };

    /// <summary>Sizes that fill panels, with long rows of a product.</summary>
    public static ModelConfig Even(ModelArchitecture architecture = ModelArchitecture.Llama) => Odd(architecture) with
    {
        VocabSize = 512,
        HiddenSize = 128,
        IntermediateSize = 416,
        Heads = 8,
        KvHeads = 2,
        HeadDim = 64,
    };

    public static int[] RandomTokens(Random random, int count, int vocabulary) =>
        [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabulary))];

    public void Dispose()
    {
        Checkpoint.Dispose();
        _directory.Dispose();
    }
}

/// <summary>What a forward pass leaves of a sequence.</summary>
/// <param name="Logits">Logits of the rows that were asked for, by position.</param>
/// <param name="Kv">Bytes of K and V of every position, by layer.</param>
internal sealed record SequenceResult(Dictionary<int, float[]> Logits, byte[][] Kv);

/// <summary>Conveniences over a runner.</summary>
internal static class RunnerExtensions
{
    /// <summary>K and V of the first <paramref name="count"/> positions in one layer as singles, K then V of each head of each position.</summary>
    public static unsafe byte[] ReadKv(this IKvBlockStore store, int layer, ReadOnlySpan<int> blockTable, int count)
    {
        KvLayout layout = store.Layout;
        var numbers = new List<float>();
        var block = new byte[layout.LayerBlockBytes];
        for (int position = 0; position < count; position++)
        {
            int slot = position % layout.BlockSize;
            if (slot == 0)
            {
                store.Read(layer, blockTable[position / layout.BlockSize], 0, block);
            }

            fixed (byte* first = block)
            {
                for (int head = 0; head < layout.KvHeads; head++)
                {
                    byte* keys = first + (2 * head * layout.HeadBlockBytes);
                    numbers.AddRange(HeadBlockReader.Key(layout, keys, slot));
                    numbers.AddRange(HeadBlockReader.Value(layout, keys + layout.HeadBlockBytes, slot));
                }
            }
        }

        return MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(numbers)).ToArray();
    }

    /// <summary>Runs one sequence from its start in one batch, with the logits of all rows.</summary>
    public static SequenceResult RunAlone(this IModelRunner runner, ReadOnlySpan<int> tokens)
    {
        int vocabulary = runner.Config.VocabSize;
        int[] blocks = [.. Enumerable.Range(0, runner.KvStore.Layout.BlocksFor(tokens.Length))];
        var batch = new ForwardBatch();
        batch.Add(tokens, 0, blocks, tokens.Length);
        var logits = new float[tokens.Length * vocabulary];
        runner.Forward(batch, logits);
        var rows = new Dictionary<int, float[]>();
        for (int i = 0; i < tokens.Length; i++)
        {
            rows[i] = logits.AsSpan(i * vocabulary, vocabulary).ToArray();
        }

        int count = tokens.Length;
        return new SequenceResult(rows, [.. Enumerable.Range(0, runner.Config.Layers).Select(layer => runner.KvStore.ReadKv(layer, blocks, count))]);
    }
}
