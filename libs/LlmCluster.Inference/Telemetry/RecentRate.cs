namespace LlmCluster.Inference.Telemetry;

/// <summary>
/// How much of something is done in a second, by recent measurements: half of the amount was done at least as fast. So a long measurement counts for more than a short
/// one, and one that something else held up, such as the first of a process, soon counts for nothing. Safe to use from several threads.
/// </summary>
/// <param name="smallest">
/// Amount from which on a measurement says something: below, what each one costs at least is most of it. Smaller ones count only as long as there was none like that.
/// </param>
/// <param name="time">The clock; the system's by default.</param>
public sealed class RecentRate(double smallest, TimeProvider? time = null)
{
    /// <summary>Measurements that count: the last ones.</summary>
    public const int Window = 16;

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly Lock _lock = new();
    private readonly (double PerSecond, double Amount)[] _last = new (double, double)[Window];
    private long _count;
    private long _lastAt;
    private bool _isProvisional = true;

    /// <summary>Amount in a second; 0 before anything was measured.</summary>
    public double PerSecond
    {
        get
        {
            Span<(double PerSecond, double Amount)> last = stackalloc (double, double)[Window];
            lock (_lock)
            {
                last = last[..(int)Math.Min(_count, Window)];
                _last.AsSpan(0, last.Length).CopyTo(last);
            }

            last.Sort(static (one, other) => other.PerSecond.CompareTo(one.PerSecond));
            double all = 0;
            foreach ((_, double amount) in last)
            {
                all += amount;
            }

            double sum = 0;
            foreach ((double perSecond, double amount) in last)
            {
                sum += amount;
                if (sum >= all / 2)
                {
                    return perSecond;
                }
            }

            return 0;
        }
    }

    /// <summary>Time since the last measurement that counts; zero before there was one.</summary>
    public TimeSpan Age
    {
        get
        {
            lock (_lock)
            {
                return _count == 0 ? TimeSpan.Zero : _time.GetElapsedTime(_lastAt);
            }
        }
    }

    /// <summary>Takes a measurement; one without amount or duration is ignored.</summary>
    public void Add(double amount, TimeSpan duration)
    {
        double seconds = duration.TotalSeconds;
        if (!(amount > 0) || seconds <= 0)
        {
            return;
        }

        lock (_lock)
        {
            if (amount < smallest)
            {
                if (!_isProvisional)
                {
                    return;
                }
            }
            else if (_isProvisional)
            {
                _isProvisional = false;
                _count = 0;
            }

            _last[_count++ % Window] = (amount / seconds, amount);
            _lastAt = _time.GetTimestamp();
        }
    }
}
