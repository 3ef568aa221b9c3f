namespace LlmCluster.Inference.Cpu.Threading;

/// <summary>
/// The items of a section, dealt out to threads: each has a share of neighbours, the same one whenever as many items are dealt, and takes pieces of it in order, so that
/// it reads memory in one stream. A thread that has done its share takes half of what is left to the one that has most, from the end (work stealing:
/// Blumofe and Leiserson, Journal of the ACM 46(5), 1999). So a thread that is held up, or never comes, holds up nobody with more than the piece that it is at.
/// </summary>
internal sealed class ItemShares
{
    // The first item that nobody took and the one after the last, in one word: taking and stealing are one exchange each.
    private const int EndShift = 32;

    private readonly PaddedLong[] _left;
    private int _grain;
    private int _piecesPerShare;

    /// <summary>Makes empty shares.</summary>
    /// <param name="threads">How many threads take items.</param>
    public ItemShares(int threads) => _left = new PaddedLong[threads];

    /// <summary>Deals out items. Nobody may take meanwhile.</summary>
    /// <param name="items">Number of items.</param>
    /// <param name="grain">Shares and pieces are multiples of that, but for the last item's.</param>
    /// <param name="piecesPerShare">
    /// Into how many pieces a thread divides what is left of its share, to take one of them: so pieces are long at first and none is long at the end.
    /// </param>
    public void Deal(int items, int grain, int piecesPerShare)
    {
        _grain = grain;
        _piecesPerShare = piecesPerShare;
        long grains = (items + (long)grain - 1) / grain;
        int first = 0;
        for (int thread = 0; thread < _left.Length; thread++)
        {
            int end = (int)Math.Min(grains * (thread + 1) / _left.Length * grain, items);
            Volatile.Write(ref _left[thread].Value, Range(first, end));
            first = end;
        }
    }

    /// <summary>Takes a piece.</summary>
    /// <param name="thread">Number of the calling thread; no two may have the same one.</param>
    /// <param name="first">First item of the piece.</param>
    /// <param name="end">Item after its last.</param>
    /// <returns>Whether there was one: if not, every item is done or taken.</returns>
    public bool TryTake(int thread, out int first, out int end)
    {
        ref long own = ref _left[thread].Value;
        do
        {
            long seen = Volatile.Read(ref own);
            while (Count(seen) > 0)
            {
                first = First(seen);
                end = Math.Min(first + (Math.Max(Count(seen) / _piecesPerShare / _grain, 1) * _grain), End(seen));
                long before = Interlocked.CompareExchange(ref own, Range(end, End(seen)), seen);
                if (before == seen)
                {
                    return true;
                }

                seen = before;
            }
        }
        while (TrySteal(ref own));
        first = end = 0;
        return false;
    }

    // False once nobody has anything left. What is stolen becomes the thief's share, of which others may steal.
    private bool TrySteal(ref long own)
    {
        while (true)
        {
            int victim = 0;
            long most = 0;
            for (int i = 0; i < _left.Length; i++)
            {
                long left = Volatile.Read(ref _left[i].Value);
                if (Count(left) > Count(most))
                {
                    victim = i;
                    most = left;
                }
            }

            if (Count(most) == 0)
            {
                return false;
            }

            // The victim is at a piece, so the thief takes the larger half.
            int middle = First(most) + ((Count(most) + _grain - 1) / _grain / 2 * _grain);
            if (Interlocked.CompareExchange(ref _left[victim].Value, Range(First(most), middle), most) == most)
            {
                Volatile.Write(ref own, Range(middle, End(most)));
                return true;
            }
        }
    }

    private static long Range(int first, int end) => ((long)end << EndShift) | (uint)first;

    private static int First(long range) => (int)range;

    private static int End(long range) => (int)(range >> EndShift);

    private static int Count(long range) => End(range) - First(range);
}
