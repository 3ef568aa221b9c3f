namespace LlmCluster.Bench.Routing;

/// <summary>
/// The blocks of a simulated KV pool: reference-counted, and evicted least-recently-used among the unreferenced, the end of a prefix before its beginning. A block is
/// known by the trace's id of it, which stands for the prompt up to and with it.
/// </summary>
/// <param name="capacity">Blocks that it has room for. What is referenced at one time may be more; then nothing else is kept.</param>
internal sealed class BlockCache(int capacity)
{
    private readonly Dictionary<long, Entry> _entries = [];
    private readonly LinkedList<long> _unreferenced = [];
    private int _unnamed;

    private sealed class Entry
    {
        public int References { get; set; }

        public LinkedListNode<long>? Unreferenced { get; set; }
    }

    /// <summary>Is told of each block that enters (true) or leaves (false).</summary>
    public Action<long, bool>? Changed { get; init; }

    /// <summary>Blocks that are referenced.</summary>
    public int Referenced => _entries.Count - _unreferenced.Count + _unnamed;

    /// <summary>Blocks in all.</summary>
    public int Capacity => capacity;

    /// <summary>How many leading blocks of a prompt are there.</summary>
    public int Match(IReadOnlyList<long> prompt)
    {
        int count = 0;
        while (count < prompt.Count && _entries.ContainsKey(prompt[count]))
        {
            count++;
        }

        return count;
    }

    /// <summary>Adds a reference to a block, which comes in if it isn't there.</summary>
    public void Reference(long id)
    {
        if (!_entries.TryGetValue(id, out Entry? entry))
        {
            MakeRoom(1);
            _entries[id] = entry = new Entry();
            Changed?.Invoke(id, true);
        }
        else if (entry.Unreferenced is { } node)
        {
            _unreferenced.Remove(node);
            entry.Unreferenced = null;
        }

        entry.References++;
    }

    /// <summary>Takes references of the first blocks of a prompt back. They stay until their room is needed.</summary>
    public void Release(IReadOnlyList<long> prompt, int count)
    {
        // From the end, so that it is older than the beginning.
        for (int i = count - 1; i >= 0; i--)
        {
            Entry entry = _entries[prompt[i]];
            if (--entry.References == 0)
            {
                entry.Unreferenced = _unreferenced.AddLast(prompt[i]);
            }
        }

        MakeRoom(0);
    }

    /// <summary>Takes or gives back room for blocks that nobody will ask for again.</summary>
    public void TakeUnnamed(int count)
    {
        MakeRoom(count);
        _unnamed += count;
    }

    private void MakeRoom(int count)
    {
        while (_entries.Count + _unnamed + count > capacity && _unreferenced.First is { } oldest)
        {
            _unreferenced.RemoveFirst();
            _entries.Remove(oldest.Value);
            Changed?.Invoke(oldest.Value, false);
        }
    }
}
