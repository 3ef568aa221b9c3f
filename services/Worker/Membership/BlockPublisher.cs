using LlmCluster.Cluster.Directory;
using LlmCluster.Inference.KvCache;
using Microsoft.Extensions.Logging;

namespace LlmCluster.Worker.Membership;

/// <summary>
/// Keeps the prefix directory told of the blocks that a worker holds: at once when something changes after a quiet time, then in batches. A directory that can't be
/// reached, or has lost what it was told, never ends the worker: it is told everything anew once it listens.
/// </summary>
internal sealed partial class BlockPublisher : IAsyncDisposable
{
    // How soon a directory that lost everything is found out by a worker whose blocks don't change.
    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(500);

    private readonly IPrefixDirectory _directory;
    private readonly string _workerId;
    private readonly HeldBlocks _held;
    private readonly TimeSpan _interval;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<HeldChange> _changes = [];
    private readonly BlockChange[] _batch = new BlockChange[IPrefixDirectory.MaxBatch];
    private readonly Task _loop;
    private bool _isOut;

    /// <param name="directory">Where to publish.</param>
    /// <param name="workerId">The worker.</param>
    /// <param name="held">What it holds; nobody else drains it.</param>
    /// <param name="interval">Time between two batches.</param>
    /// <param name="joined">Completes when the worker is a member.</param>
    /// <param name="logger">Where an outage is reported.</param>
    public BlockPublisher(IPrefixDirectory directory, string workerId, HeldBlocks held, TimeSpan interval, Task joined, ILogger<BlockPublisher> logger)
    {
        _directory = directory;
        _workerId = workerId;
        _held = held;
        _interval = interval;
        _logger = logger;
        _loop = Task.Run(() => RunAsync(joined));
    }

    /// <summary>Publishes no more. What was published vanishes with the worker's lease.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task RunAsync(Task joined)
    {
        CancellationToken stopping = _stopping.Token;
        await joined.WaitAsync(stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        bool restart = true;
        while (!stopping.IsCancellationRequested)
        {
            bool published = await TryPublishAsync(restart, stopping).ConfigureAwait(false);
            restart = !published;
            await Task.Delay(published ? _interval : RetryPause, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (published)
            {
                await WaitForChangesAsync(stopping).ConfigureAwait(false);
            }
        }
    }

    private async Task WaitForChangesAsync(CancellationToken stopping)
    {
        using var check = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        check.CancelAfter(CheckInterval);
        await _held.WaitAsync(check.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task<bool> TryPublishAsync(bool restart, CancellationToken cancellationToken)
    {
        string problem;
        try
        {
            if (restart)
            {
                // Whether anybody listens, before everything is gathered.
                if (!await _directory.PublishAsync(_workerId, default, restart: true, cancellationToken).ConfigureAwait(false))
                {
                    LogOutage("the worker is no member");
                    return false;
                }

                _held.Forget();
            }

            _held.Drain(_changes);
            if (await TryPublishChangesAsync(cancellationToken).ConfigureAwait(false))
            {
                LogEnd();
                return true;
            }

            problem = "it lost what was published before";
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            return false;
        }
        catch (Exception e)
        {
            problem = e is OperationCanceledException ? "no answer in time" : e.Message;
        }

        LogOutage(problem);
        return false;
    }

    // One batch at least: an empty one asks whether what was published is still there.
    private async Task<bool> TryPublishChangesAsync(CancellationToken cancellationToken)
    {
        int done = 0;
        do
        {
            int count = Math.Min(_changes.Count - done, _batch.Length);
            for (int i = 0; i < count; i++)
            {
                HeldChange change = _changes[done + i];
                _batch[i] = new BlockChange(change.Hash, (BlockTier?)change.Tier);
            }

            if (!await _directory.PublishAsync(_workerId, _batch.AsMemory(0, count), restart: false, cancellationToken).ConfigureAwait(false))
            {
                return false;
            }

            done += count;
        }
        while (done < _changes.Count);

        // After a snapshot this is large, and then never again.
        if (_changes.Capacity > 4 * IPrefixDirectory.MaxBatch)
        {
            _changes.Clear();
            _changes.TrimExcess();
        }

        return true;
    }

    private void LogOutage(string problem)
    {
        if (!_isOut)
        {
            _isOut = true;
            LogNotPublished(_workerId, problem);
        }
    }

    private void LogEnd()
    {
        if (_isOut)
        {
            _isOut = false;
            LogPublishedAnew(_workerId, _held.Count);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Worker {Worker}: the prefix directory is not told of its blocks: {Problem}; it will be told all of them")]
    private partial void LogNotPublished(string worker, string problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "Worker {Worker}: the prefix directory is told of its blocks again, {Blocks} in all")]
    private partial void LogPublishedAnew(string worker, int blocks);
}
