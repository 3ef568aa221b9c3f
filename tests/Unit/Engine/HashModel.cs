using System.Buffers.Binary;
using LlmCluster.Inference.Execution;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;
using Xunit;

namespace LlmCluster.Tests.Unit.Engine;

/// <summary>
/// A model whose logits are a hash of all K/V of the sequence, read back through its block table. K/V of a token holds
/// its id, its position and a hash of all K/V before it. So a block that was mixed up, overwritten, reused too early or
/// written for another position changes every token from there on.
/// </summary>
internal sealed class HashModel : IModelRunner
{
    private const int TokenBytes = 16;
    private int _inForward;

    public HashModel(int blocks = 64, int blockSize = 4, int layers = 2, int vocabSize = 48, int maxPositions = 96)
    {
        Config = NewConfig(layers, vocabSize, maxPositions);
        Store = new MemoryKvStore(new KvLayout(layers, KvHeads: 1, HeadDim: 2, KvDtype.F32, blockSize), blocks);
    }

    public ModelConfig Config { get; }

    public MemoryKvStore Store { get; }

    public IKvBlockStore KvStore => Store;

    public string Fingerprint => "hash-model";

    /// <summary>Called on the engine's thread before each step.</summary>
    public Action<ForwardBatch>? BeforeStep { get; set; }

    /// <summary>Called on the engine's thread with each step's logits.</summary>
    public Action<ForwardBatch, float[]>? AfterStep { get; set; }

    public int Steps { get; private set; }

    public long ComputedTokens { get; private set; }

    public int LargestBatch { get; private set; }

    public int MostSequences { get; private set; }

    /// <summary>The logits after <paramref name="tokens"/>, without any pool.</summary>
    public static float[] Logits(ReadOnlySpan<int> tokens, int layers, int vocabSize)
    {
        ulong all = 0;
        for (int layer = 0; layer < layers; layer++)
        {
            ulong hash = (ulong)layer;
            for (int position = 0; position < tokens.Length; position++)
            {
                (ulong key, ulong value) = Entry(hash, tokens[position], position);
                hash = Mix(Mix(hash, key), value);
            }

            all = Mix(all, hash);
        }

        var logits = new float[vocabSize];
        Fill(all, logits);
        return logits;
    }

    public void Forward(ForwardBatch batch, Span<float> logits, IForwardObserver? observer = null)
    {
        Assert.Equal(0, Interlocked.Exchange(ref _inForward, 1));
        try
        {
            BeforeStep?.Invoke(batch);
            Check(batch);
            Steps++;
            ComputedTokens += batch.TokenCount;
            LargestBatch = Math.Max(LargestBatch, batch.TokenCount);
            MostSequences = Math.Max(MostSequences, batch.SequenceCount);
            var hashes = new ulong[batch.LogitRows];
            for (int layer = 0; layer < Config.Layers; layer++)
            {
                RunLayer(batch, layer, hashes);
                observer?.OnLayerWritten(layer);
            }

            float[] rows = new float[batch.LogitRows * Config.VocabSize];
            for (int row = 0; row < hashes.Length; row++)
            {
                Fill(hashes[row], rows.AsSpan(row * Config.VocabSize, Config.VocabSize));
            }

            AfterStep?.Invoke(batch, rows);
            rows.CopyTo(logits);
        }
        finally
        {
            _inForward = 0;
        }
    }

    public void Dispose()
    {
    }

    private void RunLayer(ForwardBatch batch, int layer, ulong[] hashes)
    {
        Span<byte> entry = stackalloc byte[TokenBytes];
        for (int s = 0; s < batch.SequenceCount; s++)
        {
            ForwardSequence sequence = batch[s];
            ulong hash = (ulong)layer;
            for (int position = 0; position < sequence.StartPosition; position++)
            {
                hash = ReadInto(hash, sequence.BlockTable, layer, position);
            }

            for (int i = 0; i < sequence.Tokens.Length; i++)
            {
                int position = sequence.StartPosition + i;
                (ulong key, ulong value) = Entry(hash, sequence.Tokens[i], position);
                Store.WriteToken(layer, sequence.BlockTable, position, key, value);
                hash = ReadInto(hash, sequence.BlockTable, layer, position);
                int row = i - (sequence.Tokens.Length - sequence.LogitRows);
                if (row >= 0)
                {
                    hashes[sequence.FirstLogitRow + row] = Mix(hashes[sequence.FirstLogitRow + row], hash);
                }
            }
        }
    }

    private ulong ReadInto(ulong hash, ReadOnlySpan<int> table, int layer, int position)
    {
        (ulong key, ulong value) = Store.ReadToken(layer, table, position);
        return Mix(Mix(hash, key), value);
    }

    // What every backend may rely on.
    private void Check(ForwardBatch batch)
    {
        var written = new HashSet<int>();
        int blockSize = Store.Layout.BlockSize;
        for (int s = 0; s < batch.SequenceCount; s++)
        {
            ForwardSequence sequence = batch[s];
            int end = sequence.StartPosition + sequence.Tokens.Length;
            Assert.True(end <= Config.MaxPositions);
            Assert.True(sequence.BlockTable.Length * blockSize >= end);
            Assert.Equal(sequence.BlockTable.Length, sequence.BlockTable.ToArray().Distinct().Count());
            for (int block = sequence.StartPosition / blockSize; block * blockSize < end; block++)
            {
                Assert.True(written.Add(sequence.BlockTable[block]), "Two sequences write one block in one step.");
            }
        }
    }

    private static (ulong Key, ulong Value) Entry(ulong before, int token, int position) =>
        (((ulong)(uint)token << 32) | (uint)position, Mix(before, (ulong)token));

    private static void Fill(ulong hash, Span<float> logits)
    {
        for (int id = 0; id < logits.Length; id++)
        {
            logits[id] = 6f * ((Mix(hash, (ulong)id) >> 40) / (float)(1 << 24));
        }
    }

    private static ulong Mix(ulong hash, ulong value)
    {
        ulong x = (hash * 0x9E3779B97F4A7C15) ^ (value + 0x7F4A7C159E3779B9);
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }

    private static ModelConfig NewConfig(int layers, int vocabSize, int maxPositions) => new()
    {
        Architecture = ModelArchitecture.Llama,
        VocabSize = vocabSize,
        HiddenSize = 2,
        IntermediateSize = 2,
        Layers = layers,
        Heads = 1,
        KvHeads = 1,
        HeadDim = 2,
        MaxPositions = maxPositions,
        RmsNormEps = 1e-5f,
        RopeTheta = 10000,
        TieWordEmbeddings = true,
    };
}

/// <summary>A KV pool in plain memory.</summary>
internal sealed class MemoryKvStore(KvLayout layout, int blockCount) : IKvBlockStore
{
    private readonly byte[] _bytes = new byte[blockCount * layout.BlockBytes];

    public KvLayout Layout { get; } = layout;

    public int BlockCount { get; } = blockCount;

    /// <summary>Called with each block that comes from elsewhere, before it is written.</summary>
    public Action<int>? BeforeWrite { get; set; }

    public void Read(int layer, int block, int offset, Span<byte> destination) =>
        Slice(layer, block).Slice(offset, destination.Length).CopyTo(destination);

    public void Write(int layer, int block, int offset, ReadOnlySpan<byte> source)
    {
        BeforeWrite?.Invoke(block);
        source.CopyTo(Slice(layer, block)[offset..]);
    }

    public void WriteToken(int layer, ReadOnlySpan<int> table, int position, ulong key, ulong value)
    {
        Span<byte> bytes = Slice(layer, table[position / Layout.BlockSize]);
        int slot = position % Layout.BlockSize * sizeof(ulong);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[slot..], key);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[((Layout.BlockSize * sizeof(ulong)) + slot)..], value);
    }

    public (ulong Key, ulong Value) ReadToken(int layer, ReadOnlySpan<int> table, int position)
    {
        Span<byte> bytes = Slice(layer, table[position / Layout.BlockSize]);
        int slot = position % Layout.BlockSize * sizeof(ulong);
        return (
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[slot..]),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[((Layout.BlockSize * sizeof(ulong)) + slot)..]));
    }

    private Span<byte> Slice(int layer, int block) =>
        _bytes.AsSpan(((block * Layout.Layers) + layer) * Layout.LayerBlockBytes, Layout.LayerBlockBytes);
}
