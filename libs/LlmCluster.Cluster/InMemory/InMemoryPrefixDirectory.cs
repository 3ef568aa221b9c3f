using LlmCluster.Cluster.Directory;

namespace LlmCluster.Cluster.InMemory;

/// <summary>Which worker holds which block, within one process: a table a worker, so that a worker's end drops all that it holds.</summary>
internal sealed class InMemoryPrefixDirectory : IPrefixDirectory
{
    private readonly InMemoryMembers _members;
    private readonly SortedDictionary<string, Dictionary<ulong, BlockTier>> _held = new(StringComparer.Ordinal);

    public InMemoryPrefixDirectory(InMemoryMembers members)
    {
        _members = members;
        members.Gone += id => _held.Remove(id);
    }

    /// <inheritdoc/>
    public ValueTask<bool> PublishAsync(
        string workerId, ReadOnlyMemory<BlockChange> changes, bool restart, CancellationToken cancellationToken = default)
    {
        DirectoryChecks.Changes(workerId, changes.Span);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_members.Lock)
        {
            _members.Refresh();
            if (restart && _members.Contains(workerId))
            {
                _held[workerId] = [];
            }

            if (!_held.TryGetValue(workerId, out Dictionary<ulong, BlockTier>? held))
            {
                return ValueTask.FromResult(false);
            }

            foreach (BlockChange change in changes.Span)
            {
                if (change.Tier is { } tier)
                {
                    held[change.Hash] = tier;
                }
                else
                {
                    held.Remove(change.Hash);
                }
            }

            return ValueTask.FromResult(true);
        }
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<PrefixMatch>> FindAsync(ReadOnlyMemory<ulong> prefix, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var matches = new List<PrefixMatch>();
        lock (_members.Lock)
        {
            _members.Refresh();
            foreach ((string id, Dictionary<ulong, BlockTier> held) in _held)
            {
                (int device, int any) = Leading(held, DirectoryChecks.Cap(prefix));
                if (any > 0)
                {
                    matches.Add(new PrefixMatch(id, device, any));
                }
            }
        }

        return ValueTask.FromResult<IReadOnlyList<PrefixMatch>>(matches);
    }

    /// <inheritdoc/>
    public ValueTask<DirectoryUse> GetUseAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_members.Lock)
        {
            _members.Refresh();
            return ValueTask.FromResult(new DirectoryUse(_held.Values.Sum(held => (long)held.Count), _held.Values.Count(held => held.Count > 0)));
        }
    }

    private static (int Device, int Any) Leading(Dictionary<ulong, BlockTier> held, ReadOnlySpan<ulong> prefix)
    {
        int device = 0;
        int any = 0;
        while (any < prefix.Length && held.TryGetValue(prefix[any], out BlockTier tier))
        {
            if (tier == BlockTier.Device && device == any)
            {
                device++;
            }

            any++;
        }

        return (device, any);
    }
}
