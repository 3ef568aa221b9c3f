namespace LlmCluster.Inference.Telemetry;

/// <summary>
/// How much of something is done in a second, by recent measurements: the ratio of two sums that fade, so that a long measurement counts for more than a short one.
/// Safe to use from several threads.
/// </summary>
/// <param name="smallest">
/// Amount from which on a measurement says something: below, what each one costs at least is most of it. Smaller ones count only as long as there was none like that.
/// </param>
/// <param name="span">What lies so far back, as an amount, counts for a third (1/e) of what is new.</param>
public sealed class RecentRate(double smallest, double span)
{
    private readonly Lock _lock = new();
    private double _amount;
    private double _seconds;
    private bool _isProvisional = true;

    /// <summary>Amount in a second; 0 before anything was measured.</summary>
    public double PerSecond
    {
        get
        {
            lock (_lock)
            {
                return _seconds > 0 ? _amount / _seconds : 0;
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
                (_amount, _seconds) = (0, 0);
            }

            double keep = Math.Exp(-amount / span);
            _amount = (_amount * keep) + amount;
            _seconds = (_seconds * keep) + seconds;
        }
    }
}
