namespace LlmCluster.Inference.KvCache;

/// <summary>
/// Doubly linked lists of the numbers from 0 to a limit, each number in one list at most. Everything takes constant time and allocates nothing.
/// </summary>
internal sealed class IndexLists
{
    // Links of the numbers, then a sentinel for each list.
    private readonly int[] _next;
    private readonly int[] _previous;
    private readonly int[] _counts;
    private readonly int _capacity;

    /// <param name="capacity">One more than the largest number.</param>
    /// <param name="lists">How many lists.</param>
    public IndexLists(int capacity, int lists)
    {
        _capacity = capacity;
        _next = new int[capacity + lists];
        _previous = new int[capacity + lists];
        _counts = new int[lists];
        for (int sentinel = capacity; sentinel < capacity + lists; sentinel++)
        {
            _next[sentinel] = _previous[sentinel] = sentinel;
        }
    }

    /// <summary>Length of a list.</summary>
    public int Count(int list) => _counts[list];

    /// <summary>First of a list, or its end.</summary>
    public int First(int list) => _next[_capacity + list];

    /// <summary>The one that follows, or the list's end.</summary>
    public int Next(int index) => _next[index];

    /// <summary>Whether this is the end of a list instead of a number.</summary>
    public bool IsEnd(int index) => index >= _capacity;

    /// <summary>Puts a number that is in no list at the beginning of one.</summary>
    public void AddFirst(int list, int index) => AddBefore(list, First(list), index);

    /// <summary>Puts a number that is in no list at the end of one.</summary>
    public void AddLast(int list, int index) => AddBefore(list, _capacity + list, index);

    /// <summary>Takes a number out of the list that it is in.</summary>
    public void Remove(int list, int index)
    {
        _next[_previous[index]] = _next[index];
        _previous[_next[index]] = _previous[index];
        _counts[list]--;
    }

    /// <summary>Moves all of one list to the end of another.</summary>
    public void Append(int from, int to)
    {
        while (_counts[from] > 0)
        {
            int index = First(from);
            Remove(from, index);
            AddLast(to, index);
        }
    }

    /// <summary>Puts a number that is in no list before another one in a list, or at its end.</summary>
    public void AddBefore(int list, int position, int index)
    {
        int before = _previous[position];
        _next[before] = index;
        _previous[index] = before;
        _next[index] = position;
        _previous[position] = index;
        _counts[list]++;
    }
}
