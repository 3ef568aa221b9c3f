using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace LlmCluster.Cluster;

/// <summary>Tells any number of watchers that something changed; a slow watcher misses repetitions, never the last one.</summary>
internal sealed class ChangeSignal
{
    private readonly Lock _lock = new();
    private readonly HashSet<Channel<bool>> _watchers = [];
    private bool _closed;

    public void Notify()
    {
        lock (_lock)
        {
            foreach (Channel<bool> watcher in _watchers)
            {
                watcher.Writer.TryWrite(true);
            }
        }
    }

    /// <summary>Ends all watches.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            foreach (Channel<bool> watcher in _watchers)
            {
                watcher.Writer.TryComplete();
            }
        }
    }

    public async IAsyncEnumerable<long> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // Room for one: a hint that nobody has read yet stands for all that follow it.
        var watcher = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_closed, typeof(IClusterState));
            _watchers.Add(watcher);
        }

        try
        {
            cancellationToken.ThrowIfCancellationRequested();
            long hints = 1;
            do
            {
                yield return hints++;
            }
            while (await ReadAsync(watcher.Reader, cancellationToken).ConfigureAwait(false));
        }
        finally
        {
            lock (_lock)
            {
                _watchers.Remove(watcher);
            }
        }
    }

    private static async ValueTask<bool> ReadAsync(ChannelReader<bool> reader, CancellationToken cancellationToken)
    {
        bool open = await reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false);
        return open && reader.TryRead(out _);
    }
}
