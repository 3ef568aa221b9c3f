using Microsoft.Extensions.Logging;

namespace LlmCluster.Inference.KvCache.Tiers;

/// <summary>
/// Content of blocks on the local disk, a file each; eviction of the least recently used. What is in the folder at the start is taken over. A file that is damaged
/// is deleted and counts as absent. Failures of the disk are counted and logged, and lose nothing but what would be written.
/// One thread writes; any may read.
/// </summary>
internal sealed partial class DiskTier : IDisposable
{
    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();

    // Next to be evicted first.
    private readonly LinkedList<BlockHash> _order = [];
    private readonly Dictionary<BlockHash, LinkedListNode<BlockHash>> _files = [];
    private readonly DiskFolder _folder;
    private readonly BlockHash _identity;
    private readonly int _blockBytes;
    private readonly HeldBlocks? _held;
    private readonly ILogger _logger;
    private long _loggedAt;

    /// <summary>Takes a folder and what is in it.</summary>
    /// <param name="root">The folder that was configured.</param>
    /// <param name="identity">Stands for model and layout.</param>
    /// <param name="blockBytes">Bytes of a block's content.</param>
    /// <param name="capacity">Most files.</param>
    /// <param name="logger">Where failures are reported.</param>
    /// <param name="held">Told of what is here; none: nobody wants to know.</param>
    /// <exception cref="IOException">The folder can't be used.</exception>
    public DiskTier(string root, BlockHash identity, int blockBytes, int capacity, ILogger logger, HeldBlocks? held = null)
    {
        _held = held;
        _identity = identity;
        _blockBytes = blockBytes;
        _logger = logger;
        _loggedAt = Environment.TickCount64 - (long)LogInterval.TotalMilliseconds;
        Capacity = capacity;
        _folder = DiskFolder.Take(root, identity);
        try
        {
            TakeOver();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _folder.Dispose();
            throw new IOException($"The folder '{_folder.Path}' of KV blocks can't be read: {e.Message}", e);
        }
    }

    public TierCounters Counters { get; } = new(TierCounters.Disk);

    /// <summary>Where the files are.</summary>
    public string Folder => _folder.Path;

    /// <summary>Most files.</summary>
    public int Capacity { get; }

    /// <summary>Bytes of a file.</summary>
    public long FileBytes => DiskBlockFile.HeaderBytes + _blockBytes;

    /// <summary>Files that are there.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _files.Count;
            }
        }
    }

    /// <summary>Whether the content is here.</summary>
    public bool Contains(BlockHash hash)
    {
        lock (_lock)
        {
            return _files.ContainsKey(hash);
        }
    }

    /// <summary>Makes content that is here the last to be evicted.</summary>
    /// <returns>False when it is not here.</returns>
    public bool Touch(BlockHash hash)
    {
        lock (_lock)
        {
            if (!_files.TryGetValue(hash, out LinkedListNode<BlockHash>? node))
            {
                return false;
            }

            _order.Remove(node);
            _order.AddLast(node);
            return true;
        }
    }

    /// <summary>Reads content.</summary>
    /// <returns>False when it is not here, or was damaged and is here no more.</returns>
    public bool TryRead(BlockHash hash, Span<byte> content)
    {
        if (!Touch(hash))
        {
            return false;
        }

        string path = PathOf(hash);
        try
        {
            if (DiskBlockFile.TryRead(path, _identity, hash, content))
            {
                SetTime(hash, DateTime.UtcNow);
                Counters.Promote(FileBytes);
                return true;
            }

            Counters.Corrupt();
            LogSeldom(() => LogCorrupt(path));
        }
        catch (FileNotFoundException)
        {
            // Evicted, or deleted by hand.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Counters.Error();
            LogSeldom(() => LogReadFailed(path, e));
        }

        Forget(hash);
        DiskBlockFile.TryDelete(path);
        return false;
    }

    /// <summary>Writes content, evicting other content if need be.</summary>
    /// <returns>False when the disk failed.</returns>
    public bool TryWrite(BlockHash hash, ReadOnlySpan<byte> content)
    {
        MakeRoom(1);
        string path = PathOf(hash);
        try
        {
            DiskBlockFile.Write(path, _identity, hash, content);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Counters.Error();
            LogSeldom(() => LogWriteFailed(path, e));
            return false;
        }

        lock (_lock)
        {
            if (!_files.ContainsKey(hash))
            {
                _files.Add(hash, _order.AddLast(hash));
                _held?.Gain(hash, KvTier.Disk);
            }
        }

        Counters.Demote(FileBytes);
        return true;
    }

    /// <summary>Sets when content was used last, as a later start will see it.</summary>
    public void SetTime(BlockHash hash, DateTime time) => DiskBlockFile.TrySetTime(PathOf(hash), time);

    /// <summary>Lets others take the folder.</summary>
    public void Dispose() => _folder.Dispose();

    private string PathOf(BlockHash hash) => Path.Combine(_folder.Path, DiskBlockFile.NameOf(hash));

    private void TakeOver()
    {
        List<(DateTime Time, BlockHash Hash)> found = [];
        foreach (FileInfo file in new DirectoryInfo(_folder.Path).EnumerateFiles())
        {
            if (file.Extension == DiskBlockFile.TemporaryExtension)
            {
                DiskBlockFile.TryDelete(file.FullName);
            }
            else if (DiskBlockFile.TryParseName(file.Name, out BlockHash hash))
            {
                if (file.Length == FileBytes)
                {
                    found.Add((file.LastWriteTimeUtc, hash));
                }
                else
                {
                    Counters.Corrupt();
                    DiskBlockFile.TryDelete(file.FullName);
                }
            }
        }

        found.Sort(static (a, b) => a.Time.CompareTo(b.Time));
        foreach ((_, BlockHash hash) in found)
        {
            _files.Add(hash, _order.AddLast(hash));
            _held?.Gain(hash, KvTier.Disk);
        }

        MakeRoom(0);
    }

    private void MakeRoom(int blocks)
    {
        while (true)
        {
            BlockHash oldest;
            lock (_lock)
            {
                if (_files.Count + blocks <= Capacity)
                {
                    return;
                }

                oldest = _order.First!.Value;
                ForgetLocked(oldest);
            }

            Counters.Drop();
            if (!DiskBlockFile.TryDelete(PathOf(oldest)))
            {
                Counters.Error();
            }
        }
    }

    private void Forget(BlockHash hash)
    {
        lock (_lock)
        {
            ForgetLocked(hash);
        }
    }

    private void ForgetLocked(BlockHash hash)
    {
        if (_files.Remove(hash, out LinkedListNode<BlockHash>? node))
        {
            _order.Remove(node);
            _held?.Lose(hash, KvTier.Disk);
        }
    }

    private void LogSeldom(Action log)
    {
        long now = Environment.TickCount64;
        long before = Volatile.Read(ref _loggedAt);
        if (now - before >= LogInterval.TotalMilliseconds && Interlocked.CompareExchange(ref _loggedAt, now, before) == before)
        {
            log();
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The KV block in {Path} is damaged; it was deleted and will be computed again")]
    private partial void LogCorrupt(string path);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The KV block in {Path} could not be read; it will be computed again")]
    private partial void LogReadFailed(string path, Exception error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The KV block in {Path} could not be written; the disk tier goes without it")]
    private partial void LogWriteFailed(string path, Exception error);
}
