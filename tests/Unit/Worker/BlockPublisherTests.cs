using LlmCluster.Cluster;
using LlmCluster.Cluster.Directory;
using LlmCluster.Inference.KvCache;
using LlmCluster.Testing;
using LlmCluster.Worker.Membership;
using Microsoft.Extensions.Logging;
using Xunit;

namespace LlmCluster.Tests.Unit.Worker;

public sealed class BlockPublisherTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(1);

    private readonly HeldBlocks _held = new();
    private readonly ScriptedDirectory _directory = new();
    private readonly Warnings _log = new();

    [Fact]
    public async Task Nothing_is_published_before_the_worker_is_a_member()
    {
        var joined = new TaskCompletionSource();
        await using var publisher = new BlockPublisher(_directory, "w", _held, Interval, joined.Task, _log);
        _held.Gain(Hash(1), KvTier.Device);
        await Task.Yield();
        Assert.Equal(0, _directory.Calls);
        joined.SetResult();
        await UntilAsync(1);
    }

    [Fact]
    public async Task Large_changes_go_in_batches()
    {
        for (int i = 0; i < 10_000; i++)
        {
            _held.Gain(Hash(i), i % 2 == 0 ? KvTier.Device : KvTier.Host);
        }

        await using var publisher = Start();
        await UntilAsync(10_000);
        for (int i = 0; i < 10_000; i += 3)
        {
            _held.Lose(Hash(i), i % 2 == 0 ? KvTier.Device : KvTier.Host);
            _held.Gain(Hash(i + 1), KvTier.Device);
        }

        // One hash is new.
        await UntilAsync(6_667);
        Assert.Empty(_log.Lines);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_directory_that_fails_or_forgets_is_told_everything_anew(bool throws)
    {
        _held.Gain(Hash(1), KvTier.Device);
        _held.Gain(Hash(2), KvTier.Device);
        await using var publisher = Start();
        await UntilAsync(2);
        _directory.Break(throws);
        _held.Lose(Hash(1), KvTier.Device);
        _held.Gain(Hash(3), KvTier.Disk);
        int calls = _directory.Calls;
        await Eventually.TrueAsync(() => _directory.Calls >= calls + 2);
        Assert.Empty(_directory.Told());
        _directory.Mend();
        await UntilAsync(2);

        // Nothing changes, and yet it is noticed that all is lost.
        _directory.Break(throws: false);
        _directory.Mend();
        await UntilAsync(2);
        await Eventually.TrueAsync(() => _log.Lines.Length is 2 or 4);
        Assert.Equal(_log.Lines.Length / 2, _log.Lines.Count(level => level == LogLevel.Warning));
    }

    [Fact]
    public async Task Ending_it_waits_for_nobody()
    {
        _directory.Break(throws: true);
        var publisher = Start();
        await Eventually.TrueAsync(() => _directory.Calls > 0);
        await publisher.DisposeAsync().AsTask().WaitAsync(Eventually.DefaultDeadline);
    }

    private BlockPublisher Start() => new(_directory, "w", _held, Interval, Task.CompletedTask, _log);

    private async Task UntilAsync(int count)
    {
        await Eventually.TrueAsync(() => _directory.Told().Count == count, state: () => $"{_directory.Told().Count} are told");
        await Eventually.TrueAsync(() => _directory.Told().All(pair => (KvTier?)pair.Value == Find(pair.Key)));
        Assert.Equal(count, _held.Count);
    }

    // Only the first half of a hash is looked at.
    private KvTier? Find(ulong hash) => _held.Find(new BlockHash(hash, 0));

    private static BlockHash Hash(int content) => BlockHash.Root($"content {content}");

    /// <summary>A directory for one worker, as its contract says, that can forget and fail.</summary>
    private sealed class ScriptedDirectory : IPrefixDirectory
    {
        private readonly Lock _lock = new();
        private Dictionary<ulong, BlockTier>? _told;
        private Exception? _failure;
        private bool _refuses;

        public int Calls { get; private set; }

        public void Break(bool throws)
        {
            lock (_lock)
            {
                _told = null;
                _refuses = true;
                _failure = throws ? new ClusterStateException("The state can't be reached.") : null;
            }
        }

        public void Mend()
        {
            lock (_lock)
            {
                _refuses = false;
                _failure = null;
            }
        }

        public Dictionary<ulong, BlockTier> Told()
        {
            lock (_lock)
            {
                return _told is null ? [] : new Dictionary<ulong, BlockTier>(_told);
            }
        }

        public ValueTask<bool> PublishAsync(string workerId, ReadOnlyMemory<BlockChange> changes, bool restart, CancellationToken cancellationToken = default)
        {
            lock (_lock)
            {
                Calls++;
                if (_failure is not null)
                {
                    throw _failure;
                }

                Assert.InRange(changes.Length, 0, IPrefixDirectory.MaxBatch);
                if (restart && !_refuses)
                {
                    _told = [];
                }

                if (_told is null)
                {
                    return ValueTask.FromResult(false);
                }

                foreach (BlockChange change in changes.Span)
                {
                    if (change.Tier is { } tier)
                    {
                        _told[change.Hash] = tier;
                    }
                    else
                    {
                        Assert.True(_told.Remove(change.Hash));
                    }
                }

                return ValueTask.FromResult(true);
            }
        }

        public ValueTask<IReadOnlyList<PrefixMatch>> FindAsync(ReadOnlyMemory<ulong> prefix, CancellationToken cancellationToken = default) =>
            throw new NotSupportedException();

        public ValueTask<DirectoryUse> GetUseAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();
    }

    private sealed class Warnings : ILogger<BlockPublisher>
    {
        private readonly List<LogLevel> _lines = [];

        public LogLevel[] Lines
        {
            get
            {
                lock (_lines)
                {
                    return [.. _lines];
                }
            }
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (_lines)
            {
                _lines.Add(logLevel);
            }
        }
    }
}
