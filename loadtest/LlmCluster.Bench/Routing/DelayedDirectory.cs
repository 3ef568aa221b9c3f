namespace LlmCluster.Bench.Routing;

/// <summary>What gateways know of a worker's blocks: what it held a moment ago.</summary>
/// <param name="delay">Seconds from a change to when gateways know of it.</param>
internal sealed class DelayedDirectory(double delay)
{
    private readonly HashSet<long> _known = [];
    private readonly Queue<(double Time, long Id, bool Enters)> _underWay = new();

    /// <summary>Takes note of a change. Calls are in order of time.</summary>
    public void Add(double now, long id, bool enters) => _underWay.Enqueue((now + delay, id, enters));

    /// <summary>How many leading blocks of a prompt the worker is known to hold.</summary>
    public int Match(double now, IReadOnlyList<long> prompt)
    {
        while (_underWay.TryPeek(out (double Time, long Id, bool Enters) change) && change.Time <= now)
        {
            _underWay.Dequeue();
            if (change.Enters)
            {
                _known.Add(change.Id);
            }
            else
            {
                _known.Remove(change.Id);
            }
        }

        int count = 0;
        while (count < prompt.Count && _known.Contains(prompt[count]))
        {
            count++;
        }

        return count;
    }
}
