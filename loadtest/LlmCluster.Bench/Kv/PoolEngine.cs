using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Execution;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;

namespace LlmCluster.Bench.Kv;

/// <summary>
/// A KV pool without the model in front of it: prompts are "computed" as soon as they are submitted, so that a transfer
/// is all there is to measure. Pool, block table and bytes are the CPU backend's own.
/// </summary>
internal sealed class PoolEngine : IInferenceEngine
{
    private readonly CpuKvBlockStore _store;
    private readonly int _chunkTokens;

    public PoolEngine(KvLayout layout, ModelConfig model, int blockCount, int chunkTokens)
    {
        _store = new CpuKvBlockStore(layout, blockCount);
        _chunkTokens = chunkTokens;
        Runner = new PoolRunner(model, _store);
        Pool = new BlockPool(blockCount, layout.BlockSize);
    }

    public IModelRunner Runner { get; }

    public BlockPool Pool { get; }

    public EngineStatus Status => new(0, 0, 0, Pool.Counts);

    public IGeneration Submit(GenerationRequest request) => throw new NotSupportedException("Only transfers are measured here.");

    public void SubmitPrefill(GenerationRequest request, IPrefillSink sink, CancellationToken cancellationToken)
    {
        int blocks = _store.Layout.BlocksFor(request.Prompt.Length);
        int chunk = _chunkTokens / _store.Layout.BlockSize;
        sink.OnStarted(Reserve([], blocks, out _), 0);
        for (int first = 0; first < blocks; first += chunk)
        {
            for (int layer = 0; layer < _store.Layout.Layers; layer++)
            {
                sink.OnBlocksWritten(layer, first, Math.Min(chunk, blocks - first));
            }
        }

        sink.OnCompleted(new GeneratedToken(0, FinishReason.None));
    }

    public ValueTask<(BlockLease Blocks, int CachedBlocks)> ReserveAsync(BlockHash[] prefix, int blockCount, CancellationToken cancellationToken)
    {
        BlockLease lease = Reserve(prefix, blockCount, out int cached);
        return ValueTask.FromResult((lease, cached));
    }

    public IGeneration Adopt(GenerationRequest request, BlockLease blocks, GeneratedToken firstToken, int cachedTokens) =>
        new HeldSequence(request, blocks, cachedTokens);

    public ValueTask DisposeAsync()
    {
        _store.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Fills every block with bytes of its own.</summary>
    public void Fill()
    {
        var bytes = new byte[_store.Layout.LayerBlockBytes];
        var random = new Random(1);
        for (int block = 0; block < _store.BlockCount; block++)
        {
            random.NextBytes(bytes);
            for (int layer = 0; layer < _store.Layout.Layers; layer++)
            {
                _store.Write(layer, block, 0, bytes);
            }
        }
    }

    /// <summary>Consecutive blocks of the pool where they lie, valid as long as this is not disposed.</summary>
    public unsafe ReadOnlyMemory<byte> Bytes(int layer, int firstBlock, int count)
    {
        int size = _store.Layout.LayerBlockBytes;
        return new PoolMemory(_store.Layer(layer) + ((long)firstBlock * size), count * size).Memory;
    }

    private BlockLease Reserve(BlockHash[] prefix, int blockCount, out int cached) =>
        Pool.TryReserve(prefix, blockCount, out cached)
        ?? throw new GenerationException(GenerationError.Overloaded, $"{blockCount} blocks are wanted and {Pool.Counts.Available} available.");

    private sealed class PoolRunner(ModelConfig model, CpuKvBlockStore store) : IModelRunner
    {
        public ModelConfig Config => model;

        public IKvBlockStore KvStore => store;

        public string Fingerprint => "kv-benchmark";

        public void Forward(ForwardBatch batch, Span<float> logits, IForwardObserver? observer = null) =>
            throw new NotSupportedException("Only transfers are measured here.");

        public void Dispose()
        {
        }
    }

    private sealed class HeldSequence(GenerationRequest request, BlockLease blocks, int cachedTokens) : IGeneration
    {
        public GenerationRequest Request => request;

        public int CachedTokens => cachedTokens;

        public IAsyncEnumerable<GeneratedToken> ReadAllAsync(CancellationToken cancellationToken = default) =>
            throw new NotSupportedException("Only transfers are measured here.");

        public ValueTask DisposeAsync()
        {
            blocks.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
