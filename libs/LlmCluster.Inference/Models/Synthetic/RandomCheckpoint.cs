using LlmCluster.Inference.Tokenization;

namespace LlmCluster.Inference.Models.Synthetic;

/// <summary>
/// Writes checkpoints with random weights in Hugging Face layout, for tests and benchmarks, with a tokenizer where the
/// vocabulary is large enough for one (<see cref="RandomTokenizer.SmallestVocabulary"/>). The same configuration, seed
/// and options give the same bytes on every machine.
/// </summary>
public static class RandomCheckpoint
{
    private const int PieceElements = 1 << 20;

    private static readonly string[] OwnFiles =
    [
        ModelConfigReader.FileName, GenerationDefaults.FileName, WeightFiles.SingleFileName, WeightFiles.IndexFileName,
        "tokenizer.json", "tokenizer_config.json",
    ];

    /// <summary>Writes a checkpoint of a preset's shape.</summary>
    /// <param name="architecture">The decoder family.</param>
    /// <param name="preset">The shape.</param>
    /// <param name="seed">Decides the weights.</param>
    /// <param name="directory">Where to write; created if missing.</param>
    /// <param name="options">Number format, sharding and such.</param>
    /// <param name="cancellationToken">Ends the work; the directory then holds no <c>config.json</c>.</param>
    /// <exception cref="IOException">The directory is not empty and may not be overwritten, or can't be written.</exception>
    public static void Write(
        ModelArchitecture architecture,
        ModelPreset preset,
        ulong seed,
        string directory,
        RandomCheckpointOptions? options = null,
        CancellationToken cancellationToken = default) =>
        Write(preset.Config(architecture), seed, directory, options, cancellationToken);

    /// <summary>Writes a checkpoint of any shape.</summary>
    /// <param name="config">The shape.</param>
    /// <param name="seed">Decides the weights.</param>
    /// <param name="directory">Where to write; created if missing.</param>
    /// <param name="options">Number format, sharding and such.</param>
    /// <param name="cancellationToken">Ends the work; the directory then holds no <c>config.json</c>.</param>
    /// <exception cref="IOException">The directory is not empty and may not be overwritten, or can't be written.</exception>
    public static void Write(
        ModelConfig config,
        ulong seed,
        string directory,
        RandomCheckpointOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(config);
        if (config.Quantization is not null)
        {
            throw new ArgumentException("Random weights are numbers; quantise the checkpoint afterwards.", nameof(config));
        }

        options ??= new RandomCheckpointOptions();
        config = config with { TieWordEmbeddings = options.TieWordEmbeddings ?? config.TieWordEmbeddings };
        PrepareDirectory(directory, options.Overwrite);
        WriteWeights(config, seed, directory, options, cancellationToken);
        ModelConfigWriter.Write(directory, config, options.Dtype, WriteTokenizer(directory, config.VocabSize));
    }

    /// <summary>Bytes of all tensors of a model.</summary>
    public static long ByteLength(ModelConfig config, TensorDtype dtype) =>
        ModelTensors.All(config).Sum(spec => new SafetensorsTensor(spec.Name, dtype, spec.Shape).ByteLength);

    private static void PrepareDirectory(string directory, bool overwrite)
    {
        Directory.CreateDirectory(directory);
        if (!overwrite && Directory.EnumerateFileSystemEntries(directory).Any())
        {
            throw new IOException($"The directory {directory} is not empty.");
        }

        // Nothing of an older checkpoint may pass for a part of this one, and without config.json no reader takes the
        // directory for a checkpoint until it is complete.
        foreach (string file in OwnFiles)
        {
            File.Delete(Path.Combine(directory, file));
        }

        foreach (string shard in Directory.EnumerateFiles(directory, "model-*-of-*.safetensors"))
        {
            File.Delete(shard);
        }
    }

    private static GenerationDefaults WriteTokenizer(string directory, int vocabSize)
    {
        if (vocabSize < RandomTokenizer.SmallestVocabulary)
        {
            return new GenerationDefaults();
        }

        RandomTokenizerIds ids = RandomTokenizer.Write(directory, vocabSize);
        return new GenerationDefaults { BosTokenId = ids.BosTokenId, EosTokenIds = [ids.EosTokenId, ids.ImEndTokenId] };
    }

    private static void WriteWeights(
        ModelConfig config, ulong seed, string directory, RandomCheckpointOptions options, CancellationToken cancellationToken)
    {
        List<List<TensorSpec>> shards = Shards(ModelTensors.All(config), options);
        long written = 0;
        for (int i = 0; i < shards.Count; i++)
        {
            string name = shards.Count == 1 ? WeightFiles.SingleFileName : WeightIndex.ShardName(i, shards.Count);
            using var writer = new SafetensorsWriter(
                Path.Combine(directory, name),
                [.. shards[i].Select(spec => new SafetensorsTensor(spec.Name, options.Dtype, spec.Shape))]);
            foreach (TensorSpec spec in shards[i])
            {
                WriteTensor(writer, new RandomWeights(seed, spec, config), spec, options, ref written, cancellationToken);
            }

            writer.Complete();
        }

        if (shards.Count > 1)
        {
            WeightIndex.Write(
                directory, written, shards.SelectMany((shard, i) => shard.Select(spec => (spec.Name, WeightIndex.ShardName(i, shards.Count)))));
        }
    }

    private static void WriteTensor(
        SafetensorsWriter writer,
        RandomWeights weights,
        TensorSpec spec,
        RandomCheckpointOptions options,
        ref long written,
        CancellationToken cancellationToken)
    {
        long count = new SafetensorsTensor(spec.Name, options.Dtype, spec.Shape).ElementCount;
        int elementBytes = options.Dtype.ElementBytes();
        int pieces = Environment.ProcessorCount;
        float[] values = new float[Math.Min(count, (long)PieceElements * pieces)];
        byte[] bytes = new byte[values.Length * elementBytes];
        for (long first = 0; first < count; first += values.Length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int length = (int)Math.Min(values.Length, count - first);
            long origin = first;
            Parallel.For(0, (length + PieceElements - 1) / PieceElements, piece =>
            {
                int start = piece * PieceElements;
                Span<float> part = values.AsSpan(start, Math.Min(PieceElements, length - start));
                weights.Fill(origin + start, part);
                TensorConversion.FromSingle(part, options.Dtype, bytes.AsSpan(start * elementBytes, part.Length * elementBytes));
            });
            writer.Write(bytes.AsSpan(0, length * elementBytes));
            written += (long)length * elementBytes;
            options.Progress?.Report(written);
        }
    }

    private static List<List<TensorSpec>> Shards(IReadOnlyList<TensorSpec> specs, RandomCheckpointOptions options)
    {
        var shards = new List<List<TensorSpec>> { new() };
        long bytes = 0;
        foreach (TensorSpec spec in specs)
        {
            long length = new SafetensorsTensor(spec.Name, options.Dtype, spec.Shape).ByteLength;
            if (shards[^1].Count > 0 && bytes + length > options.MaxShardBytes)
            {
                shards.Add([]);
                bytes = 0;
            }

            shards[^1].Add(spec);
            bytes += length;
        }

        return shards;
    }
}
