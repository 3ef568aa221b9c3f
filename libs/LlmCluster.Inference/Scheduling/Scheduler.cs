using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.KvCache.Tiers;
using LlmCluster.Inference.Scheduling.Prediction;

namespace LlmCluster.Inference.Scheduling;

/// <summary>
/// Decides what each step computes: one token for every sequence that decodes, then prefill chunks in order of
/// admission, then new sequences in order of arrival or as a policy says, within a budget of tokens, which is smaller where others would wait too long for
/// the step's end. Reservations for transfers wait in
/// the same queue. Knows blocks, but neither the model nor who reads the tokens. One thread at a time.
/// </summary>
/// <remarks>
/// When a decoding sequence finds no block, the most recently admitted one gives its blocks up and is computed again
/// later; the oldest one always gets on. Who had to do so <see cref="MaxPreemptions"/> times comes back with all blocks that it can ever need, and
/// keeps them. Sequences that can't give theirs up (their blocks are being sent to another
/// worker) never need more than they have, and end by themselves. Where there are tiers below the pool, a sequence is computed once what they hold of it
/// is in its blocks; for one that was preempted, that is all but its last block.
/// </remarks>
internal sealed partial class Scheduler(
    BlockPool pool, int maxBatchTokens, int maxRunning, StepPacer? pacer = null, IQueuePolicy? policy = null, KvTiers? tiers = null)
{
    /// <summary>How often a sequence gives its blocks up at most.</summary>
    public const int MaxPreemptions = 3;

    // For so long, transfers wait for room that is predicted to be needed; then for blocks alone, because their wait has a deadline.
    private static readonly TimeSpan ReservationPatience = TimeSpan.FromSeconds(10);

    // In order of admission. Longer than maxRunning when transfers bring more sequences than a step takes; those at
    // the end then wait for their turn with their blocks.
    private readonly List<Sequence> _running = [];

    // Sequences and reservations in order of arrival; preempted sequences come first.
    private readonly LinkedList<object> _waiting = [];

    private readonly WaitingOrder _order = new(policy ?? new FirstComeFirstServed(), pool);
    private readonly BlockForecast _forecast = new(pool.BlockSize);

    /// <summary>Sequences in the running batch.</summary>
    public IReadOnlyList<Sequence> Running => _running;

    /// <summary>Sequences and reservations that wait.</summary>
    public IReadOnlyCollection<object> Waiting => _waiting;

    /// <summary>Blocks to leave to the sequences that grow: one each, so that a newcomer does not preempt at once.</summary>
    public int Headroom
    {
        get
        {
            int growing = 0;
            foreach (Sequence sequence in _running)
            {
                growing += sequence.CanBePreempted ? 1 : 0;
            }

            return growing;
        }
    }

    /// <summary>Blocks to leave to running sequences: those that they are predicted to need, and one for each that grows at least.</summary>
    public int Room => Math.Max(Headroom, _forecast.Growth(_running));

    /// <summary>Tokens that the sequences here are predicted to generate still: medians.</summary>
    public long PredictedTokens
    {
        get
        {
            long tokens = 0;
            foreach (Sequence sequence in _running)
            {
                tokens += sequence.PredictedTokens;
            }

            foreach (object waiting in _waiting)
            {
                tokens += (waiting as Sequence)?.PredictedTokens ?? 0;
            }

            return tokens;
        }
    }

    /// <summary>Blocks that waiting sequences are predicted to take at their ends.</summary>
    public int PredictedWaitingBlocks
    {
        get
        {
            long tokens = 0;
            foreach (object waiting in _waiting)
            {
                tokens += waiting is Sequence sequence ? sequence.Length + sequence.PredictedTokens + pool.BlockSize - 1 : 0;
            }

            return (int)Math.Min(tokens / pool.BlockSize, int.MaxValue);
        }
    }

    /// <summary>Prompt tokens to compute before all sequences here decode; of waiting ones, those that were not in the pool when they were queued.</summary>
    public int PrefillTokens
    {
        get
        {
            int tokens = 0;
            foreach (Sequence sequence in _running)
            {
                tokens += sequence.Remaining > 1 ? sequence.Remaining : 0;
            }

            foreach (object waiting in _waiting)
            {
                tokens += waiting is Sequence sequence ? sequence.Length - sequence.CachedWhenQueued : 0;
            }

            return tokens;
        }
    }

    /// <summary>The waiting sequences that are of that kind; the caller may take them out.</summary>
    public IReadOnlyList<Sequence> FindWaiting(Predicate<Sequence> predicate)
    {
        List<Sequence>? found = null;
        foreach (object waiting in _waiting)
        {
            if (waiting is Sequence sequence && predicate(sequence))
            {
                (found ??= []).Add(sequence);
            }
        }

        return found ?? (IReadOnlyList<Sequence>)[];
    }

    /// <summary>Adds a sequence to the end of the queue.</summary>
    public void Enqueue(Sequence sequence)
    {
        TakeNoteOfCached(sequence);
        _waiting.AddLast(sequence);
    }

    /// <summary>Adds a reservation to the end of the queue.</summary>
    public void Enqueue(Reservation reservation) => _waiting.AddLast(reservation);

    /// <summary>Adds a sequence that holds its blocks already.</summary>
    public void Adopt(Sequence sequence)
    {
        sequence.State = SequenceState.Running;
        _running.Add(sequence);
    }

    /// <summary>Takes a sequence out, wherever it is, and gives its blocks back.</summary>
    /// <returns>False when it had ended already.</returns>
    public bool Remove(Sequence sequence)
    {
        switch (sequence.State)
        {
            case SequenceState.Ended:
                return false;
            case SequenceState.Running:
                _running.Remove(sequence);
                break;
            default:
                _waiting.Remove(sequence);
                break;
        }

        sequence.State = SequenceState.Ended;
        sequence.ReleaseBlocks(pool);
        return true;
    }

    /// <summary>Takes a reservation out of the queue.</summary>
    public void Remove(Reservation reservation) => _waiting.Remove(reservation);

    /// <summary>Plans the next step. Every sequence in it has the blocks that it needs.</summary>
    public void Schedule(StepPlan plan)
    {
        plan.Reset(maxBatchTokens);
        TakeLoaded(plan);
        ScheduleDecodes(plan);
        if (pacer is not null && plan.Work.Count > 0)
        {
            plan.Pace = pacer.PrefillTokens;
        }

        SchedulePrefills(plan);
        if (!plan.Stalled && plan.Preempted.Count == 0)
        {
            Admit(plan);
        }
    }

    private void ScheduleDecodes(StepPlan plan)
    {
        for (int i = 0; i < Math.Min(_running.Count, maxRunning); i++)
        {
            Sequence sequence = _running[i];
            if (sequence.Remaining == 1 && (!sequence.NeedsBlock || TryGrow(sequence, i, plan)))
            {
                plan.Add(sequence, 1);
            }
        }
    }

    private void SchedulePrefills(StepPlan plan)
    {
        for (int i = 0; i < Math.Min(_running.Count, maxRunning); i++)
        {
            Sequence sequence = _running[i];
            if (sequence.Remaining > 1 && sequence.Load is null && !TryAddChunk(sequence, plan))
            {
                return;
            }
        }
    }

    // Chunks end on block boundaries, but for the last one of all: a block's K/V is then written in one step. Shorter ones are
    // for steps that have to be short, and for sequences whose blocks nobody waits for.
    private bool TryAddChunk(Sequence sequence, StepPlan plan)
    {
        if (plan.Pace <= 0)
        {
            return false;
        }

        int count = sequence.Remaining;
        bool cut = sequence.CanBePreempted && plan.Pace < pool.BlockSize;
        int room = Math.Min(plan.Budget, cut ? plan.Pace : Math.Max(plan.Pace, pool.BlockSize));
        if (count > room)
        {
            int end = sequence.Computed + room;
            count = cut ? room : end - (end % pool.BlockSize) - sequence.Computed;
            if (count <= 0)
            {
                return false;
            }
        }

        plan.Add(sequence, count);
        return true;
    }

    private bool TryGrow(Sequence sequence, int index, StepPlan plan)
    {
        if (sequence.BlocksNeeded > pool.BlockCount)
        {
            plan.Overgrown.Add(sequence);
            return false;
        }

        int block;
        while (!pool.TryAllocate(out block))
        {
            if (ReleasePrefixes())
            {
                continue;
            }

            int victim = _running.FindLastIndex(static candidate => candidate.CanBePreempted && candidate.Load is null && candidate.Preemptions < MaxPreemptions);
            if (victim <= index)
            {
                // Only transfers, or older sequences, have blocks that this one could get. It keeps what it has.
                plan.Stalled = true;
                return false;
            }

            Preempt(victim, plan);
        }

        sequence.AddBlock(block);
        return true;
    }

    private void Preempt(int index, StepPlan plan)
    {
        Sequence sequence = _running[index];
        _running.RemoveAt(index);
        sequence.ReleaseBlocks(pool);
        sequence.State = SequenceState.Waiting;
        sequence.Preemptions++;
        TakeNoteOfCached(sequence);
        _waiting.AddFirst(sequence);
        plan.Preempted.Add(sequence);
        plan.Admitted.Remove(sequence);
    }

    private void TakeNoteOfCached(Sequence sequence) => sequence.CachedWhenQueued = pool.CountPrefix(sequence.Reusable) * pool.BlockSize;

    private void Admit(StepPlan plan)
    {
        int waiting = _waiting.Count == 0 ? 0 : _order.Sort(_waiting, Environment.TickCount64);
        for (int i = 0; i < waiting; i++)
        {
            LinkedListNode<object> node = _order[i];
            if (node.Value is Reservation reservation)
            {
                bool isPatient = Environment.TickCount64 - reservation.QueuedAt < ReservationPatience.TotalMilliseconds;
                if (!reservation.TryGrant(pool, isPatient ? Room : Headroom))
                {
                    ReleasePrefixes();
                    return;
                }

                _waiting.Remove(node);
                continue;
            }

            var sequence = (Sequence)node.Value;
            if (sequence.BlocksNeeded > pool.BlockCount)
            {
                plan.Overgrown.Add(sequence);
                continue;
            }

            if (_running.Count >= maxRunning || plan.Budget < pool.BlockSize || plan.Pace <= 0)
            {
                return;
            }

            if (IsBeingComputed(sequence))
            {
                continue;
            }

            int count = sequence.Preemptions < MaxPreemptions ? sequence.BlocksNeeded : Math.Min(sequence.MostBlocks, pool.BlockCount);
            BlockLease? blocks = pool.TryReserve(sequence.Reusable, count, out int cachedBlocks, RoomBeside(sequence, count));
            if (blocks is null)
            {
                // The pool wakes the engine if that makes room.
                ReleasePrefixes();
                return;
            }

            _waiting.Remove(node);
            sequence.TakeBlocks(blocks, cachedBlocks);
            sequence.State = SequenceState.Running;
            _running.Add(sequence);
            if (!TryLoad(sequence, cachedBlocks))
            {
                plan.Admitted.Add(sequence);
                TryAddChunk(sequence, plan);
            }
        }
    }

    // Those who wait keep blocks only as long as nobody else needs them: two of them could keep each other from being admitted.
    private bool ReleasePrefixes()
    {
        bool any = false;
        foreach (object waiting in _waiting)
        {
            any |= waiting is Sequence sequence && sequence.ReleasePrefix();
        }

        return any;
    }

    // A prompt that is computed for another worker gives its blocks back before others can have grown much.
    private int RoomBeside(Sequence newcomer, int blocks) => blocks == pool.BlockCount ? 0
        : newcomer.CanBePreempted ? Math.Max(Headroom, _forecast.Growth(_running, newcomer, blocks))
        : Headroom;

    /// <summary>
    /// Whether a running sequence computes, or loads, the block that this one would have to compute next. Then waiting for it
    /// saves the work, and those behind need not wait: it ends, by being published or with its sequence.
    /// </summary>
    private bool IsBeingComputed(Sequence sequence)
    {
        if (sequence.WaitsFor is var (computing, block)
            && computing.State == SequenceState.Running && computing.Published <= block)
        {
            return true;
        }

        sequence.WaitsFor = null;
        int hits = pool.CountPrefix(sequence.Reusable);
        if (hits < sequence.Reusable.Length)
        {
            BlockHash hash = sequence.Reusable[hits];
            if (_running.Find(candidate => candidate.IsComputing(hits, hash)) is { } found)
            {
                sequence.WaitsFor = (found, hits);
                return true;
            }
        }

        return false;
    }
}
