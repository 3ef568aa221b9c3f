namespace LlmCluster.Cluster.InMemory;

/// <summary>The members of a cluster within one process, and the lock that guards all of its state. Every call but the constructor's needs the lock.</summary>
internal sealed class InMemoryMembers(TimeProvider time, Action changed)
{
    private readonly SortedDictionary<string, Member> _members = new(StringComparer.Ordinal);
    private readonly long _start = time.GetTimestamp();
    private bool _closed;

    /// <summary>Guards the whole state of the cluster, so that what depends on membership sees each change at once.</summary>
    public Lock Lock { get; } = new();

    /// <summary>Told of each member that left or whose lease ended, with the lock held.</summary>
    public event Action<string>? Gone;

    /// <summary>Time since the start, by the state's clock.</summary>
    public TimeSpan Now => time.GetElapsedTime(_start);

    /// <summary>The members, ordered by id.</summary>
    public IEnumerable<WorkerSnapshot> Workers => _members.Values.Select(member => member.Worker);

    /// <summary>When the next lease ends; null when there is none.</summary>
    public TimeSpan? NextEnd => _members.Count == 0 ? null : _members.Values.Min(member => member.End);

    /// <summary>To be called first: drops members whose lease has run out.</summary>
    /// <exception cref="ObjectDisposedException">The state is disposed of.</exception>
    public void Refresh()
    {
        ObjectDisposedException.ThrowIf(_closed, typeof(InMemoryClusterState));
        TimeSpan now = Now;
        string[] expired = [.. _members.Where(pair => pair.Value.End <= now).Select(pair => pair.Key)];
        foreach (string id in expired)
        {
            Remove(id);
        }
    }

    public void Renew(WorkerSnapshot worker, TimeSpan lease)
    {
        bool same = _members.TryGetValue(worker.Info.Id, out Member? known) && known.Worker.Status == worker.Status && known.Worker.Info == worker.Info;
        _members[worker.Info.Id] = new Member(worker, Now + lease);
        if (!same)
        {
            changed();
        }
    }

    public void Remove(string id)
    {
        if (_members.Remove(id))
        {
            Gone?.Invoke(id);
            changed();
        }
    }

    public bool Contains(string id) => _members.ContainsKey(id);

    /// <summary>Whether it is a member and takes requests.</summary>
    public bool IsReady(string id) => _members.TryGetValue(id, out Member? member) && member.Worker.Status == WorkerStatus.Ready;

    /// <summary>Ends everything: <see cref="Refresh"/> throws from now on.</summary>
    public void Close() => _closed = true;

    private sealed record Member(WorkerSnapshot Worker, TimeSpan End);
}
