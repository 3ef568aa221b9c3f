using System.Buffers;

namespace LlmCluster.Inference.Tokenization.Bpe;

/// <summary>
/// Applies merges to a row of tokens: always the merge of lowest rank first and, among equals, the leftmost one. Short
/// rows are scanned; long ones use a heap, so the time is O(n log n) whatever the text is.
/// </summary>
internal sealed class BpeMerger(MergeTable merges)
{
    private const int ShortLength = 64;

    /// <summary>Merges in place and returns how many tokens are left at the front of the span.</summary>
    public int Merge(Span<int> ids) =>
        ids.Length < 2 ? ids.Length : ids.Length <= ShortLength ? MergeShort(ids) : MergeLong(ids);

    /// <summary>O(n²) with small constants. Internal so that tests can compare it with <see cref="MergeLong"/>.</summary>
    internal int MergeShort(Span<int> ids)
    {
        int count = ids.Length;
        Span<int> ranks = count <= ShortLength ? stackalloc int[ShortLength] : new int[count];
        for (int i = 0; i + 1 < count; i++)
        {
            ranks[i] = merges.RankOf(ids[i], ids[i + 1]);
        }

        while (count > 1)
        {
            int best = 0;
            int bestRank = ranks[0];
            for (int i = 1; i + 1 < count; i++)
            {
                if (ranks[i] < bestRank)
                {
                    bestRank = ranks[i];
                    best = i;
                }
            }

            if (bestRank == int.MaxValue)
            {
                break;
            }

            merges.TryGet(ids[best], ids[best + 1], out var merge);
            ids[best] = merge.NewId;
            ids[(best + 2)..count].CopyTo(ids[(best + 1)..]);
            ranks[(best + 1)..(count - 1)].CopyTo(ranks[best..]);
            count--;
            if (best + 1 < count)
            {
                ranks[best] = merges.RankOf(ids[best], ids[best + 1]);
            }

            if (best > 0)
            {
                ranks[best - 1] = merges.RankOf(ids[best - 1], ids[best]);
            }
        }

        return count;
    }

    /// <summary>
    /// A linked list of tokens and a heap of candidates keyed by (rank, position). A candidate is stale when its token
    /// is gone or its pair has another rank by now.
    /// </summary>
    internal int MergeLong(Span<int> ids)
    {
        int count = ids.Length;
        int[] links = ArrayPool<int>.Shared.Rent(2 * count);
        var heap = new CandidateHeap(count);
        try
        {
            Span<int> next = links.AsSpan(0, count);
            Span<int> previous = links.AsSpan(count, count);
            for (int i = 0; i < count; i++)
            {
                next[i] = i + 1 < count ? i + 1 : -1;
                previous[i] = i - 1;
                if (i + 1 < count && merges.TryGet(ids[i], ids[i + 1], out var merge))
                {
                    heap.Append(merge.Rank, i);
                }
            }

            heap.Heapify();
            while (heap.TryPop(out int rank, out int position))
            {
                int right = ids[position] < 0 ? -1 : next[position];
                if (right < 0 || !merges.TryGet(ids[position], ids[right], out var merge) || merge.Rank != rank)
                {
                    continue;
                }

                ids[position] = merge.NewId;
                ids[right] = -1;
                int after = next[right];
                next[position] = after;
                if (after >= 0)
                {
                    previous[after] = position;
                    if (merges.TryGet(merge.NewId, ids[after], out var following))
                    {
                        heap.Push(following.Rank, position);
                    }
                }

                int before = previous[position];
                if (before >= 0 && merges.TryGet(ids[before], merge.NewId, out var preceding))
                {
                    heap.Push(preceding.Rank, before);
                }
            }

            int written = 0;
            for (int i = 0; i >= 0; i = next[i])
            {
                ids[written++] = ids[i];
            }

            return written;
        }
        finally
        {
            heap.Dispose();
            ArrayPool<int>.Shared.Return(links);
        }
    }

    /// <summary>A binary heap of (rank, position) packed into one integer each.</summary>
    private struct CandidateHeap(int capacity) : IDisposable
    {
        private ulong[] _items = ArrayPool<ulong>.Shared.Rent(capacity);
        private int _count;

        public void Append(int rank, int position)
        {
            if (_count == _items.Length)
            {
                ulong[] larger = ArrayPool<ulong>.Shared.Rent(2 * _count);
                _items.AsSpan(0, _count).CopyTo(larger);
                ArrayPool<ulong>.Shared.Return(_items);
                _items = larger;
            }

            _items[_count++] = ((ulong)(uint)rank << 32) | (uint)position;
        }

        public readonly void Heapify()
        {
            for (int i = _count / 2 - 1; i >= 0; i--)
            {
                SiftDown(i);
            }
        }

        public void Push(int rank, int position)
        {
            Append(rank, position);
            int child = _count - 1;
            ulong item = _items[child];
            while (child > 0)
            {
                int parent = (child - 1) / 2;
                if (_items[parent] <= item)
                {
                    break;
                }

                _items[child] = _items[parent];
                child = parent;
            }

            _items[child] = item;
        }

        public bool TryPop(out int rank, out int position)
        {
            if (_count == 0)
            {
                rank = position = 0;
                return false;
            }

            ulong top = _items[0];
            _items[0] = _items[--_count];
            SiftDown(0);
            rank = (int)(top >> 32);
            position = (int)(uint)top;
            return true;
        }

        public readonly void Dispose() => ArrayPool<ulong>.Shared.Return(_items);

        private readonly void SiftDown(int parent)
        {
            ulong item = _items[parent];
            while (true)
            {
                int child = 2 * parent + 1;
                if (child >= _count)
                {
                    break;
                }

                if (child + 1 < _count && _items[child + 1] < _items[child])
                {
                    child++;
                }

                if (_items[child] >= item)
                {
                    break;
                }

                _items[parent] = _items[child];
                parent = child;
            }

            _items[parent] = item;
        }
    }
}
