using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.KvTransfer.Frames;
using LlmCluster.Protocol.V1;

namespace LlmCluster.KvTransfer.Fetching;

/// <summary>Gives other workers the K/V of blocks that are in this worker's pool; those in lower tiers stay there. Disposing it ends what is under way.</summary>
/// <param name="engine">Whose blocks they are.</param>
/// <param name="options">Deadlines and limits.</param>
public sealed class KvFetchServer(IInferenceEngine engine, KvFetchOptions options) : IAsyncDisposable
{
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _slots = new(options.MaxServed);
    private readonly CancellationTokenSource _stopping = new();
    private readonly IKvBlockStore _store = engine.Runner.KvStore;
    private long _blocks;
    private long _bytes;
    private int _disposed;

    /// <summary>Fetches that are being served.</summary>
    public int Live => options.MaxServed - _slots.CurrentCount;

    /// <summary>Blocks that were served.</summary>
    public long ServedBlocks => Volatile.Read(ref _blocks);

    /// <summary>Bytes of those.</summary>
    public long ServedBytes => Volatile.Read(ref _bytes);

    /// <summary>Serves one fetch.</summary>
    /// <param name="request">The blocks.</param>
    /// <param name="write">Sends a message; has read its blocks when it completes.</param>
    /// <param name="cancellationToken">The other worker is gone.</param>
    /// <exception cref="KvTransferException">The fetch is refused, or took too long.</exception>
    public async Task ServeAsync(KvFetchRequest request, Func<KvFetchOutgoing, CancellationToken, Task> write, CancellationToken cancellationToken)
    {
        BlockHash[] hashes = ReadHashes(request);
        if (!_slots.Wait(0, CancellationToken.None))
        {
            throw new KvTransferException(KvTransferError.NoRoom, $"{options.MaxServed} fetches are being served, which is the most.");
        }

        try
        {
            using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
            ends.CancelAfter(options.ServeTimeout);
            try
            {
                await SendAsync(hashes, write, ends.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (ends.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                throw _stopping.IsCancellationRequested
                    ? new KvTransferException(KvTransferError.Unavailable, "The worker is ending.", e)
                    : new KvTransferException(KvTransferError.DeadlineExceeded, $"The blocks were not taken within {options.ServeTimeout}.", e);
            }
        }
        catch (Exception e) when (e is not KvTransferException)
        {
            throw KvTransferException.From(e);
        }
        finally
        {
            _slots.Release();
        }
    }

    /// <summary>Ends what is under way; returns when nothing of the pool is read any more.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _stopping.CancelAsync().ConfigureAwait(false);
        for (int i = 0; i < options.MaxServed; i++)
        {
            await _slots.WaitAsync(StopTimeout).ConfigureAwait(false);
        }
    }

    private BlockHash[] ReadHashes(KvFetchRequest request)
    {
        // The layout first: it is part of the model's fingerprint, and the plainer thing to be told of.
        Require(request.LayoutFingerprint, _store.Layout.Fingerprint, "KV layouts");
        Require(request.ModelFingerprint, engine.Runner.Fingerprint, "models");
        ReadOnlySpan<byte> bytes = request.BlockHashes.Span;
        if (bytes.IsEmpty || bytes.Length % BlockHash.Size != 0)
        {
            throw new KvTransferException(
                KvTransferError.InvalidRequest, $"block_hashes has {bytes.Length} bytes; it must have {BlockHash.Size} for each block, and one block at least.");
        }

        // No pool holds more.
        var hashes = new BlockHash[Math.Min(bytes.Length / BlockHash.Size, _store.BlockCount)];
        for (int i = 0; i < hashes.Length; i++)
        {
            hashes[i] = BlockHash.Read(bytes[(i * BlockHash.Size)..]);
        }

        return hashes;
    }

    private static void Require(string theirs, string ours, string what)
    {
        if (theirs != ours)
        {
            throw new KvTransferException(KvTransferError.Mismatch, $"The workers' {what} differ: the caller has '{theirs}', this worker '{ours}'.");
        }
    }

    private async Task SendAsync(BlockHash[] hashes, Func<KvFetchOutgoing, CancellationToken, Task> write, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using BlockLease? lease = engine.Pool.TakeCached(hashes);
        int[] blocks = lease is null ? [] : lease.Blocks.ToArray();
        await write(new KvFetchOutgoing { Found = new KvFetchFound { Blocks = blocks.Length } }, cancellationToken).ConfigureAwait(false);
        int run = Math.Max(1, options.MaxFrameBytes / _store.Layout.LayerBlockBytes);
        for (int first = 0; first < blocks.Length; first += run)
        {
            int count = Math.Min(run, blocks.Length - first);
            for (int layer = 0; layer < _store.Layout.Layers; layer++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var frame = new KvOutgoingBlocks(_store, layer, first, blocks.AsMemory(first, count));
                await write(new KvFetchOutgoing { Blocks = frame }, cancellationToken).ConfigureAwait(false);
            }

            Interlocked.Add(ref _blocks, count);
            Interlocked.Add(ref _bytes, count * _store.Layout.BlockBytes);
        }
    }
}
