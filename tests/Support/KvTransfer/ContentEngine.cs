using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Execution;
using LlmCluster.Inference.KvCache;

namespace LlmCluster.Testing.KvTransfer;

/// <summary>
/// An engine with a real block pool whose prompts "compute" the bytes of <see cref="KvContent"/> at a pace that the
/// test sets, and which checks the bytes of every sequence that it adopts.
/// </summary>
public sealed class ContentEngine : IInferenceEngine
{
    /// <summary>The first token of every prompt.</summary>
    public const int FirstToken = 7;

    private readonly KvLayout _layout;
    private int _live;

    /// <summary>Creates an engine.</summary>
    public ContentEngine(int blockCount, KvLayout? layout = null, string fingerprint = KvContent.Fingerprint)
    {
        _layout = layout ?? KvContent.Layout;
        Runner = new ContentRunner(_layout, blockCount, fingerprint);
        Pool = new BlockPool(blockCount, _layout.BlockSize);
    }

    /// <inheritdoc/>
    public IModelRunner Runner { get; }

    /// <inheritdoc/>
    public BlockPool Pool { get; }

    /// <inheritdoc/>
    public EngineStatus Status => new(Volatile.Read(ref _live), 0, 0, Pool.Counts);

    /// <summary>Blocks to a chunk of a prompt.</summary>
    public int ChunkBlocks { get; set; } = 2;

    /// <summary>Awaited before each (layer, chunk) of a prompt.</summary>
    public Func<int, int, CancellationToken, Task> BeforeStep { get; set; } = (_, _, _) => Task.CompletedTask;

    /// <summary>Ids of the sequences that were adopted.</summary>
    public ConcurrentQueue<string> Adopted { get; } = [];

    /// <summary>Sequences whose bytes were wrong when they were adopted.</summary>
    public ConcurrentQueue<string> WrongContent { get; } = [];

    /// <inheritdoc/>
    public IGeneration Submit(GenerationRequest request) => throw new InvalidOperationException("Only prompts for other workers are computed here.");

    /// <inheritdoc/>
    public void SubmitPrefill(GenerationRequest request, IPrefillSink sink, CancellationToken cancellationToken) =>
        _ = Task.Run(() => PrefillAsync(request, sink, cancellationToken), CancellationToken.None);

    /// <inheritdoc/>
    public async ValueTask<(BlockLease Blocks, int CachedBlocks)> ReserveAsync(BlockHash[] prefix, int blockCount, CancellationToken cancellationToken)
    {
        if (blockCount > Pool.BlockCount)
        {
            throw new GenerationException(GenerationError.InvalidRequest, $"{blockCount} blocks are wanted; the pool has {Pool.BlockCount}.");
        }

        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var released = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            void OnReleased() => released.TrySetResult();
            Pool.Released += OnReleased;
            try
            {
                if (Pool.TryReserve(prefix, blockCount, out int cached) is { } lease)
                {
                    return (lease, cached);
                }

                await released.Task.WaitAsync(cancellationToken);
            }
            finally
            {
                Pool.Released -= OnReleased;
            }
        }
    }

    /// <inheritdoc/>
    public IGeneration Adopt(GenerationRequest request, BlockLease blocks, GeneratedToken firstToken, int cachedTokens)
    {
        if (KvContent.FindDifference(Runner.KvStore, request.Prompt, blocks.Blocks) is { } place)
        {
            WrongContent.Enqueue($"{request.Id}: {place}");
        }

        Adopted.Enqueue(request.Id);
        Interlocked.Increment(ref _live);
        return new Generation(this, request, blocks, firstToken, cachedTokens);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task PrefillAsync(GenerationRequest request, IPrefillSink sink, CancellationToken cancellationToken)
    {
        try
        {
            BlockHash[] hashes = KvContent.Hashes(_layout, request.Prompt, request.CacheSalt);
            int blockCount = _layout.BlocksFor(request.Prompt.Length);

            // The last token is always computed, for its logits.
            int reusable = Math.Min(hashes.Length, (request.Prompt.Length - 1) / _layout.BlockSize);
            (BlockLease lease, int cached) = await ReserveAsync(hashes[..reusable], blockCount, cancellationToken);
            int[] blocks = lease.Blocks.ToArray();
            sink.OnStarted(lease, cached);
            for (int first = cached; first < blockCount; first += ChunkBlocks)
            {
                int count = Math.Min(ChunkBlocks, blockCount - first);
                for (int layer = 0; layer < _layout.Layers; layer++)
                {
                    await BeforeStep(layer, first, cancellationToken);
                    cancellationToken.ThrowIfCancellationRequested();
                    for (int block = first; block < first + count; block++)
                    {
                        KvContent.Write(Runner.KvStore, request.Prompt, layer, block, blocks[block]);
                    }

                    sink.OnBlocksWritten(layer, first, count);
                }

                for (int block = first; block < Math.Min(first + count, hashes.Length); block++)
                {
                    Pool.Publish(blocks[block], hashes[block]);
                }
            }

            sink.OnCompleted(new GeneratedToken(FirstToken, FinishReason.None));
        }
        catch (Exception e)
        {
            sink.OnFailed(e);
        }
    }

    private sealed class Generation(ContentEngine engine, GenerationRequest request, BlockLease blocks, GeneratedToken firstToken, int cachedTokens)
        : IGeneration
    {
        private int _disposed;

        public GenerationRequest Request => request;

        public int CachedTokens => cachedTokens;

        public async IAsyncEnumerable<GeneratedToken> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            yield return firstToken;
            await Task.Yield();
            cancellationToken.ThrowIfCancellationRequested();
            yield return new GeneratedToken(FirstToken + 1, FinishReason.Length);
        }

        public ValueTask DisposeAsync()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                blocks.Dispose();
                Interlocked.Decrement(ref engine._live);
            }

            return ValueTask.CompletedTask;
        }
    }
}
