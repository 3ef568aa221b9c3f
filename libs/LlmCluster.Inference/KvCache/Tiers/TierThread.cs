using Microsoft.Extensions.Logging;

namespace LlmCluster.Inference.KvCache.Tiers;

/// <summary>A background thread that does its work over whenever it was woken, until it is stopped. A failure is logged and ends one round.</summary>
internal sealed partial class TierThread
{
    private readonly AutoResetEvent _signal = new(false);
    private readonly Action<TierThread> _work;
    private readonly ILogger _logger;
    private readonly Thread _thread;
    private int _woken;
    private volatile bool _stopping;

    public TierThread(string name, Action<TierThread> work, ILogger logger)
    {
        _work = work;
        _logger = logger;
        _thread = new Thread(Run) { Name = name, IsBackground = true };
        _thread.Start();
    }

    /// <summary>Whether the work should end soon.</summary>
    public bool IsStopping => _stopping;

    /// <summary>Has the work done once more. Returns at once.</summary>
    public void Wake()
    {
        if (Interlocked.Exchange(ref _woken, 1) == 0)
        {
            _signal.Set();
        }
    }

    /// <summary>Ends the thread.</summary>
    /// <returns>False when its work still goes on after <paramref name="limit"/>.</returns>
    public bool Stop(TimeSpan limit)
    {
        _stopping = true;
        _signal.Set();
        return _thread.Join(limit);
    }

    private void Run()
    {
        while (!_stopping)
        {
            _signal.WaitOne();
            Interlocked.Exchange(ref _woken, 0);
            try
            {
                _work(this);
            }
            catch (Exception e)
            {
                LogFailed(_thread.Name!, e);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A round of {Thread} failed")]
    private partial void LogFailed(string thread, Exception error);
}
