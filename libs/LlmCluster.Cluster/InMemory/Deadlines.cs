namespace LlmCluster.Cluster.InMemory;

/// <summary>Names with a time at which each ends. Not for several threads at once.</summary>
internal sealed class Deadlines
{
    private readonly Dictionary<string, TimeSpan> _ends = new(StringComparer.Ordinal);
    private readonly SortedSet<(TimeSpan End, string Name)> _order = new(Comparer<(TimeSpan End, string Name)>.Create(static (left, right) =>
        left.End != right.End ? left.End.CompareTo(right.End) : string.CompareOrdinal(left.Name, right.Name)));

    public void Set(string name, TimeSpan end)
    {
        Remove(name);
        _ends[name] = end;
        _order.Add((end, name));
    }

    public void Remove(string name)
    {
        if (_ends.Remove(name, out TimeSpan end))
        {
            _order.Remove((end, name));
        }
    }

    /// <summary>Takes out one that has ended.</summary>
    public bool TryTake(TimeSpan now, out string name)
    {
        (TimeSpan end, name) = _order.Min;
        if (_order.Count == 0 || end > now)
        {
            return false;
        }

        Remove(name);
        return true;
    }
}
