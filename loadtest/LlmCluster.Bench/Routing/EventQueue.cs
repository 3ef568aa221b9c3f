namespace LlmCluster.Bench.Routing;

/// <summary>Virtual time: runs what was planned in order of time, and what was planned for the same time in the order of planning.</summary>
internal sealed class EventQueue
{
    private readonly PriorityQueue<Action, (double Time, long Number)> _events = new();
    private long _number;

    /// <summary>Seconds since the beginning.</summary>
    public double Now { get; private set; }

    /// <summary>Plans something.</summary>
    public void At(double time, Action action) => _events.Enqueue(action, (Math.Max(time, Now), _number++));

    /// <summary>Runs all that is planned, and what that plans.</summary>
    public void Run(CancellationToken cancellationToken)
    {
        while (_events.TryDequeue(out Action? action, out (double Time, long Number) at))
        {
            cancellationToken.ThrowIfCancellationRequested();
            Now = at.Time;
            action();
        }
    }
}
