using System.Collections.Concurrent;
using LlmCluster.Inference.Telemetry;
using Microsoft.Extensions.Logging;

namespace LlmCluster.Inference.KvCache.Tiers;

/// <summary>
/// The tiers below a pool of KV blocks: host memory and, where one is configured, the local disk. Content comes down when the pool is about to evict it, on a thread
/// of its own unless that is too late, and goes up when a sequence or a transfer is admitted that can use it. Safe to use from several threads.
/// </summary>
internal sealed partial class KvTiers : IEvictedContent
{
    // A round ends with the block under way.
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(5);

    private readonly BlockPool _pool;
    private readonly KvLayout _layout;
    private readonly HostTier _host;
    private readonly DiskTier? _disk;
    private readonly TierWriter _writer;
    private readonly TierLoader _loader;
    private readonly TierThread _saveThread;
    private readonly TierThread _loadThread;
    private readonly TierThread? _diskThread;
    private readonly ConcurrentQueue<TierLoad> _loads = new();
    private readonly KvTierOptions _options;
    private readonly Action? _onLoaded;
    private readonly ILogger _logger;
    private int _closed;

    /// <summary>Takes the memory and the folder, and starts the threads.</summary>
    /// <param name="pool">The pool, not used yet.</param>
    /// <param name="store">Its bytes; must outlive <see cref="Close"/>.</param>
    /// <param name="modelFingerprint">Identity of weights and number formats.</param>
    /// <param name="options">Sizes and limits.</param>
    /// <param name="onLoaded">Called after each load, on any thread.</param>
    /// <param name="logger">Where failures are reported.</param>
    /// <exception cref="ArgumentException">An option is wrong.</exception>
    /// <exception cref="IOException">The folder can't be used.</exception>
    public KvTiers(BlockPool pool, IKvBlockStore store, string modelFingerprint, KvTierOptions options, Action? onLoaded, ILogger logger)
    {
        options.Validate(nameof(KvTierOptions));
        options.ValidateFor(store.Layout, nameof(KvTierOptions));
        _pool = pool;
        _layout = store.Layout;
        _options = options;
        _onLoaded = onLoaded;
        _logger = logger;
        _host = new HostTier(_layout.BlockBytes, options.HostBlocksFor(_layout), pool.Held);
        _disk = options.DiskPath is null ? null : OpenDisk(options.DiskPath, modelFingerprint);
        _writer = new TierWriter(pool, store, _host, _disk, options.WriteAhead);
        _loader = new TierLoader(pool, store, _host, _disk, _writer);
        _diskThread = _disk is null ? null : new TierThread("kv-disk", thread => _writer.SaveSlots(() => thread.IsStopping), logger);
        _saveThread = new TierThread("kv-save", SaveBlocks, logger);
        _loadThread = new TierThread("kv-load", Load, logger);
        _pool.Evicted = this;
        _pool.Released += _saveThread.Wake;
        InferenceMetrics.Add(this);
    }

    /// <summary>What the tiers hold and did.</summary>
    public KvTierStatus Status
    {
        get
        {
            BlockPoolCounts counts = _pool.Counts;
            long used = counts.Cached + counts.Referenced;
            int host = _host.Count;
            int disk = _disk?.Count ?? 0;
            return new KvTierStatus(
                _pool.Lookups.Snapshot(counts.Total, used, used * _layout.BlockBytes),
                _host.Counters.Snapshot(_host.Capacity, host, host * _layout.BlockBytes),
                _disk?.Counters.Snapshot(_disk.Capacity, disk, disk * _disk.FileBytes));
        }
    }

    /// <summary>Begins to fill blocks, if a tier holds at least the first of them.</summary>
    /// <param name="hashes">Content wanted, in order; the pool does not have the first.</param>
    /// <param name="blocks">A block for each; the caller has references and does not use them until the load is over.</param>
    /// <returns>The load, or null when there is nothing to wait for.</returns>
    public TierLoad? TryLoad(ReadOnlySpan<BlockHash> hashes, ReadOnlySpan<int> blocks)
    {
        if (hashes.IsEmpty || Volatile.Read(ref _closed) != 0)
        {
            return null;
        }

        if (!_host.Contains(hashes[0]) && _disk?.Contains(hashes[0]) != true)
        {
            _host.Counters.Miss(hashes.Length);
            _disk?.Counters.Miss(hashes.Length);
            return null;
        }

        long deadline = Environment.TickCount64 + (long)_options.LoadTimeout.TotalMilliseconds;
        var load = new TierLoad(hashes.ToArray(), _pool.Share(blocks), deadline, _onLoaded);
        _loads.Enqueue(load);
        _loadThread.Wake();
        return load;
    }

    /// <summary>Fills blocks of a lease whose first ones hold their content.</summary>
    /// <param name="prefix">Content of the first blocks of the lease, in order.</param>
    /// <param name="blocks">The lease; disposed of when this throws.</param>
    /// <param name="cachedBlocks">Blocks that hold their content.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Blocks that hold their content now.</returns>
    public async ValueTask<int> LoadAsync(BlockHash[] prefix, BlockLease blocks, int cachedBlocks, CancellationToken cancellationToken)
    {
        TierLoad? load = TryLoad(prefix.AsSpan(cachedBlocks), blocks.Blocks[cachedBlocks..prefix.Length]);
        if (load is null)
        {
            return cachedBlocks;
        }

        try
        {
            await load.Completed.WaitAsync(load.Left, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            if (!load.TryStop())
            {
                // As long as it takes to copy one block.
                await load.Completed.ConfigureAwait(false);
            }
        }
        catch
        {
            load.TryStop();
            blocks.Dispose();
            throw;
        }

        return cachedBlocks + load.Loaded;
    }

    /// <inheritdoc/>
    public void Keep(ReadOnlySpan<CachedBlock> blocks, ReadOnlySpan<BlockHash> wanted)
    {
        if (blocks.IsEmpty || Volatile.Read(ref _closed) != 0)
        {
            return;
        }

        Span<int> pins = wanted.Length <= 256 ? stackalloc int[wanted.Length] : new int[wanted.Length];
        int pinned = 0;
        while (pinned < wanted.Length && _host.TryPin(wanted[pinned], touch: false, out pins[pinned]))
        {
            pinned++;
        }

        try
        {
            foreach (CachedBlock block in blocks)
            {
                _writer.Keep(block, synchronous: true);
            }
        }
        catch (Exception e)
        {
            _host.Counters.Error();
            LogKeepFailed(e);
        }

        while (pinned > 0)
        {
            _host.Unpin(pins[--pinned]);
            _host.Touch(wanted[pinned]);
        }

        _saveThread.Wake();
        _diskThread?.Wake();
    }

    /// <summary>Stops the threads, writes to the disk what is not there yet, and frees the memory. The pool is not used any more, but for giving blocks back.</summary>
    /// <param name="flushLimit">Longest time for writing.</param>
    public void Close(TimeSpan flushLimit)
    {
        if (Interlocked.Exchange(ref _closed, 1) != 0)
        {
            return;
        }

        InferenceMetrics.Remove(this);
        _pool.Released -= _saveThread.Wake;
        bool stopped = _saveThread.Stop(StopTimeout);
        stopped &= _loadThread.Stop(StopTimeout);
        while (_loads.TryDequeue(out TierLoad? load))
        {
            load.TryStop();
        }

        stopped &= _diskThread?.Stop(StopTimeout) ?? true;
        if (!stopped)
        {
            LogHangs();
        }
        else if (_disk is not null)
        {
            Flush(flushLimit);
        }

        _host.Dispose();
        _disk?.Dispose();
    }

    private DiskTier OpenDisk(string path, string modelFingerprint)
    {
        try
        {
            // A hash of both: blocks of equal hashes but other shapes must not meet.
            var identity = BlockHash.Root(modelFingerprint, _layout.Fingerprint);
            var disk = new DiskTier(path, identity, _host.BlockBytes, _options.DiskBlocksFor(_layout), _logger, _pool.Held);
            LogDisk(disk.Folder, disk.Count);
            return disk;
        }
        catch
        {
            _host.Dispose();
            throw;
        }
    }

    private void SaveBlocks(TierThread thread)
    {
        if (_writer.SaveBlocks(() => thread.IsStopping))
        {
            _diskThread?.Wake();
        }
    }

    private void Load(TierThread thread)
    {
        while (!thread.IsStopping && _loads.TryDequeue(out TierLoad? load))
        {
            _loader.Run(load, () => thread.IsStopping);
            _diskThread?.Wake();
        }
    }

    private void Flush(TimeSpan limit)
    {
        long end = Environment.TickCount64 + (long)limit.TotalMilliseconds;
        try
        {
            _writer.Flush(() => Environment.TickCount64 >= end);
        }
        catch (Exception e)
        {
            LogFlushFailed(e);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "KV blocks go to {Folder}, which holds {Blocks}")]
    private partial void LogDisk(string folder, int blocks);

    [LoggerMessage(Level = LogLevel.Error, Message = "Evicted KV blocks could not be copied to host memory")]
    private partial void LogKeepFailed(Exception error);

    [LoggerMessage(Level = LogLevel.Error, Message = "KV blocks could not be written to the disk at the end")]
    private partial void LogFlushFailed(Exception error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A read or write of KV blocks hangs; what is in host memory is not written to the disk")]
    private partial void LogHangs();
}
