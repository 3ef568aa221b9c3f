using LlmCluster.Inference.KvCache;

namespace LlmCluster.Inference.Scheduling;

/// <summary>
/// The waiting queue in the order of a policy. Preempted sequences, which had their place before, and reservations, whose transfers are under way,
/// keep ahead of those that have not begun, in their own order.
/// </summary>
internal sealed class WaitingOrder(IQueuePolicy policy, BlockPool pool)
{
    private readonly List<Entry> _entries = [];

    private readonly record struct Entry(LinkedListNode<object> Node, double Rank, int Arrival);

    /// <summary>Sorts the queue; valid until the next call.</summary>
    /// <param name="queue">Sequences and reservations in order of arrival.</param>
    /// <param name="now">By <see cref="Environment.TickCount64"/>.</param>
    public int Sort(LinkedList<object> queue, long now)
    {
        _entries.Clear();
        for (LinkedListNode<object>? node = queue.First; node is not null; node = node.Next)
        {
            bool begun = node.Value is not Sequence { WasAdmitted: false };
            double rank = begun || !policy.Reorders ? double.NegativeInfinity : Rank((Sequence)node.Value, now);
            _entries.Add(new Entry(node, rank, _entries.Count));
        }

        if (policy.Reorders && _entries.Count > 1)
        {
            _entries.Sort(static (a, b) => a.Rank == b.Rank ? a.Arrival.CompareTo(b.Arrival) : a.Rank.CompareTo(b.Rank));
        }

        return _entries.Count;
    }

    /// <summary>What stands at a place.</summary>
    public LinkedListNode<object> this[int index] => _entries[index].Node;

    private double Rank(Sequence sequence, long now) => policy.Rank(sequence, pool, TimeSpan.FromMilliseconds(now - sequence.QueuedAt));
}
