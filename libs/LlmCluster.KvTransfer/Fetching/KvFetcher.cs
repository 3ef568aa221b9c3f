using System.Collections.Concurrent;
using System.Diagnostics;
using Google.Protobuf;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.Protocol.V1;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmCluster.KvTransfer.Fetching;

/// <summary>
/// Brings leading blocks of a prompt from another worker into the pool before the rest is computed. Whatever goes wrong costs computing them, and nothing else.
/// Safe to use from several threads; disposing it ends what is under way.
/// </summary>
public sealed partial class KvFetcher : IAsyncDisposable
{
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(5);

    private readonly IInferenceEngine _engine;
    private readonly IKvFetchTransport _transport;
    private readonly KvFetchOptions _options;
    private readonly ILogger _logger;
    private readonly TransferRate? _rate;
    private readonly KvLayout _layout;
    private readonly CancellationTokenSource _stopping = new();

    // Fetches under way by the last block that they want: the choices of a request share one.
    private readonly ConcurrentDictionary<BlockHash, Task> _flights = new();
    private long _fetches;
    private long _blocks;
    private long _bytes;
    private long _failures;
    private long _skipped;

    /// <param name="engine">Whose pool the blocks go to.</param>
    /// <param name="transport">Reaches other workers.</param>
    /// <param name="options">Deadlines and limits.</param>
    /// <param name="logger">Where to log; none: nowhere.</param>
    /// <param name="rate">Told of every fetch; none: nobody wants to know.</param>
    public KvFetcher(IInferenceEngine engine, IKvFetchTransport transport, KvFetchOptions options, ILogger<KvFetcher>? logger = null, TransferRate? rate = null)
    {
        _engine = engine;
        _transport = transport;
        _options = options;
        _logger = logger ?? NullLogger<KvFetcher>.Instance;
        _rate = rate;
        _layout = engine.Runner.KvStore.Layout;
    }

    /// <summary>What was fetched.</summary>
    public KvFetchStatus Status => new(
        Volatile.Read(ref _fetches), Volatile.Read(ref _blocks), Volatile.Read(ref _bytes), Volatile.Read(ref _failures), Volatile.Read(ref _skipped));

    /// <summary>Fetches the blocks of a prompt that this worker lacks, but for the one with the last token, which is computed for its logits.</summary>
    /// <param name="peer">gRPC address of a worker that is thought to hold them.</param>
    /// <param name="request">The sequence.</param>
    /// <param name="cancellationToken">Ends the fetch.</param>
    /// <returns>References on the leading blocks that are in the pool now; null when there are none, or no room for more.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async ValueTask<BlockLease?> FetchAsync(Uri peer, GenerationRequest request, CancellationToken cancellationToken)
    {
        int reusable = (request.Prompt.Length - 1) / _layout.BlockSize;
        if (reusable <= 0)
        {
            return null;
        }

        BlockHash root = BlockHash.Root(_engine.Runner.Fingerprint, "", request.CacheSalt);
        BlockHash[] hashes = BlockHash.Chain(root, request.Prompt.AsSpan(0, reusable * _layout.BlockSize), _layout.BlockSize);
        var flight = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task first = _flights.GetOrAdd(hashes[^1], flight.Task);
        if (first != flight.Task)
        {
            await first.WaitAsync(cancellationToken).ConfigureAwait(false);
            return _engine.Pool.TakeCached(hashes);
        }

        try
        {
            return await FetchAsync(peer, hashes, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _flights.TryRemove(hashes[^1], out _);
            flight.SetResult();
        }
    }

    /// <summary>Ends what is under way; returns when nothing is written to the pool any more.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(_flights.Values).WaitAsync(StopTimeout).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task<BlockLease?> FetchAsync(Uri peer, BlockHash[] hashes, CancellationToken cancellationToken)
    {
        if (await _engine.TryReserveAsync(hashes, hashes.Length, cancellationToken).ConfigureAwait(false) is not var (lease, cached))
        {
            Interlocked.Increment(ref _skipped);
            return null;
        }

        // Blocks that are still empty when this ends go back with it.
        using (lease)
        {
            if (cached < hashes.Length)
            {
                cached += await PullAsync(peer, hashes[cached..], lease.Blocks[cached..].ToArray(), cancellationToken).ConfigureAwait(false);
            }

            return cached == 0 ? null : _engine.Pool.Share(lease.Blocks[..cached]);
        }
    }

    private async Task<int> PullAsync(Uri peer, BlockHash[] hashes, int[] blocks, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _fetches);
        long began = Stopwatch.GetTimestamp();
        var fetched = new FetchedBlocks(_engine.Runner.KvStore, blocks);
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
        ends.CancelAfter(_options.Timeout);
        try
        {
            await ReadAsync(peer, hashes, fetched, ends.Token).ConfigureAwait(false);
            _rate?.Add(fetched.Bytes, Stopwatch.GetElapsedTime(began));
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            KvTransferException problem = ends.IsCancellationRequested && !_stopping.IsCancellationRequested
                ? new KvTransferException(KvTransferError.DeadlineExceeded, $"The blocks did not come within {_options.Timeout}.", e)
                : KvTransferException.From(e);
            Interlocked.Increment(ref _failures);
            FetchMetrics.Failures.Add(1, new KeyValuePair<string, object?>(FetchMetrics.ErrorTag, problem.Error.ToString()));
            LogFailed(peer, fetched.Complete, hashes.Length, problem.Error, problem.Message);
        }
        finally
        {
            // Good for any later request, whatever becomes of this one.
            for (int i = 0; i < fetched.Complete; i++)
            {
                _engine.Pool.Publish(blocks[i], hashes[i]);
            }

            Interlocked.Add(ref _blocks, fetched.Complete);
            Interlocked.Add(ref _bytes, fetched.Bytes);
            FetchMetrics.Blocks.Add(fetched.Complete);
            FetchMetrics.Bytes.Add(fetched.Bytes);
        }

        LogFetched(fetched.Complete, hashes.Length, peer, fetched.Bytes);
        return fetched.Complete;
    }

    private async Task ReadAsync(Uri peer, BlockHash[] hashes, FetchedBlocks fetched, CancellationToken cancellationToken)
    {
        byte[] wanted = new byte[hashes.Length * BlockHash.Size];
        for (int i = 0; i < hashes.Length; i++)
        {
            hashes[i].Write(wanted.AsSpan(i * BlockHash.Size));
        }

        var request = new KvFetchRequest
        {
            ModelFingerprint = _engine.Runner.Fingerprint,
            LayoutFingerprint = _layout.Fingerprint,
            BlockHashes = UnsafeByteOperations.UnsafeWrap(wanted),
        };
        IKvFetchStream stream = _transport.Fetch(peer, request, cancellationToken);
        await using (stream.ConfigureAwait(false))
        {
            while (await stream.ReadAsync(fetched, cancellationToken).ConfigureAwait(false) is { } message)
            {
                cancellationToken.ThrowIfCancellationRequested();
                fetched.RequireSound();
                if (message.Found is { } found)
                {
                    fetched.Begin(found.Blocks);
                }
                else if (!message.HasBlocks)
                {
                    throw new KvTransferException(KvTransferError.Protocol, "The peer sent a message of an unknown kind.");
                }
            }

            fetched.RequireComplete();
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Blocks} of {Wanted} blocks came from {Peer}, {Bytes} bytes")]
    private partial void LogFetched(int blocks, int wanted, Uri peer, long bytes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Blocks could not be fetched from {Peer}, only {Blocks} of {Wanted} came ({Error}); the others are computed: {Problem}")]
    private partial void LogFailed(Uri peer, int blocks, int wanted, KvTransferError error, string problem);
}
