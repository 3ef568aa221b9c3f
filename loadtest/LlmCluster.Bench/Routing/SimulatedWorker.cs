using LlmCluster.Cluster;
using LlmCluster.Cluster.Reservations;

namespace LlmCluster.Bench.Routing;

/// <summary>
/// A worker of any role: one step at a time, in which every running sequence gets a token and the first prompt of the queue a chunk, as the engine does it. A link sends
/// blocks to other workers, one transfer after the other.
/// </summary>
internal sealed class SimulatedWorker
{
    private readonly EventQueue _events;
    private readonly HardwareModel _hardware;
    private readonly IWorkerEvents _listener;
    private readonly Queue<SimulatedRequest> _queue = new();
    private readonly List<SimulatedRequest> _running = [];
    private readonly List<SimulatedRequest> _arrived = [];
    private readonly Lately _prefillRate = new();
    private readonly Lately _transferRate = new();
    private readonly Lately _stepTime = new();
    private readonly RecentMedian _outputs = new();
    private double _linkFree;
    private long _report;
    private bool _busy;

    public SimulatedWorker(WorkerInfo info, EventQueue events, HardwareModel hardware, double directoryDelay, IWorkerEvents listener)
    {
        (Info, _events, _hardware, _listener) = (info, events, hardware, listener);
        Directory = new DelayedDirectory(directoryDelay);
        Cache = new BlockCache(info.TotalBlocks) { Changed = (id, enters) => Directory.Add(events.Now, id, enters) };
    }

    public WorkerInfo Info { get; }

    public BlockCache Cache { get; }

    public DelayedDirectory Directory { get; }

    /// <summary>What is reserved on it.</summary>
    public ReservedRoom Reserved { get; set; }

    /// <summary>Its last report.</summary>
    public WorkerLoad Load { get; private set; } = new();

    /// <summary>Seconds in which it computed prompts.</summary>
    public double PrefillTime { get; private set; }

    /// <summary>Starts a request: fetches blocks of its prompt if it is to, and queues it.</summary>
    public void Accept(SimulatedRequest request, SimulatedWorker? source)
    {
        Extend(request, Cache.Match(request.Blocks));
        int held = request.HeldByCompute;
        int until = source?.Cache.Match(request.Blocks) ?? 0;
        if (until <= held)
        {
            Enqueue(request);
            return;
        }

        // A fetch counts as use of what is fetched.
        for (int i = 0; i < until; i++)
        {
            source!.Cache.Reference(request.Blocks[i]);
        }

        double end = source!.Send(until - held, _events.Now) + HardwareModel.RoundTrip;
        _events.At(end, () =>
        {
            source.Cache.Release(request.Blocks, until);
            Extend(request, until);
            request.FetchedTokens = request.TokensOf(until) - request.TokensOf(held);
            Enqueue(request);
        });
    }

    /// <summary>Takes a sequence over whose prompt another worker has computed.</summary>
    public void TakeOver(SimulatedRequest request)
    {
        for (int i = request.HeldByDecode; i < request.Blocks.Count; i++)
        {
            Cache.Reference(request.Blocks[i]);
        }

        request.HeldByDecode = request.Blocks.Count;
        _arrived.Add(request);
        Continue();
    }

    /// <summary>Measures its load.</summary>
    public void Report()
    {
        int median = _outputs.Median;
        long predicted = 0;
        foreach (SimulatedRequest request in _running.Concat(_arrived))
        {
            predicted += Math.Max(median - request.Generated, 1);
        }

        int waiting = _queue.Sum(request => request.PromptTokens - Math.Max(request.Computed, request.TokensOf(request.HeldByCompute)));
        bool generates = Info.Role != WorkerRole.Prefill;
        Load = new WorkerLoad
        {
            Running = _running.Count,
            Waiting = _queue.Count + _arrived.Count,
            WaitingTokens = waiting,
            AvailableBlocks = Math.Max(Cache.Capacity - Cache.Referenced, 0),
            ReferencedBlocks = Cache.Referenced,
            PredictedTokens = predicted + (generates ? (long)_queue.Count * median : 0),
            PredictedBlocks = Cache.Referenced + _queue.Sum(request => request.Blocks.Count - request.HeldByCompute),
            MedianOutput = median,
            Report = ++_report,
            PrefillRate = _prefillRate.Ratio,
            TransferRate = _transferRate.Ratio,
            StepTime = _stepTime.Ratio,
        };
    }

    private void Enqueue(SimulatedRequest request)
    {
        _queue.Enqueue(request);
        Continue();
    }

    private void Extend(SimulatedRequest request, int until)
    {
        for (; request.HeldByCompute < until; request.HeldByCompute++)
        {
            Cache.Reference(request.Blocks[request.HeldByCompute]);
        }
    }

    private double Send(int blocks, double from)
    {
        double time = _hardware.Transfer(blocks);
        if (blocks > 0)
        {
            _transferRate.Add(_events.Now, (double)blocks * _hardware.BlockBytes, time);
        }

        return _linkFree = Math.Max(_linkFree, from) + time;
    }

    private void Continue()
    {
        if (_busy)
        {
            return;
        }

        // What ends here may make room for a request that comes here: it waits for the step that begins now.
        _busy = true;
        foreach (SimulatedRequest request in _arrived)
        {
            BeginOutput(request);
        }

        _arrived.Clear();
        int sequences = _running.Count;
        int chunk = 0;
        if (_queue.TryPeek(out SimulatedRequest? prompt))
        {
            if (prompt.Computed == 0)
            {
                Admit(prompt);
            }

            chunk = _hardware.Chunk(prompt.Computed, prompt.PromptTokens - prompt.Computed, sequences);
        }

        _busy = sequences + chunk > 0;
        if (_busy)
        {
            double prefill = chunk == 0 ? 0 : _hardware.Prefill(prompt!.Computed, chunk);
            _events.At(_events.Now + prefill + _hardware.Decode(sequences), () => EndStep(prompt, chunk, prefill, sequences));
        }
    }

    private void Admit(SimulatedRequest request)
    {
        // Others may have computed what it can use since it came. The last token yields the first output: it is computed always.
        Extend(request, Cache.Match(request.Blocks));
        request.Computed = Math.Min(request.TokensOf(request.HeldByCompute), request.PromptTokens - 1);
        request.CachedTokens = request.Computed;
        request.FetchedTokens = Math.Min(request.FetchedTokens, request.Computed);
        request.ComputeStart = _events.Now;
        if (request.Placement!.Prefill is not null)
        {
            _listener.TransferOpens(request);
        }
    }

    private void EndStep(SimulatedRequest? prompt, int chunk, double prefill, int sequences)
    {
        for (int i = _running.Count - 1; i >= 0; i--)
        {
            Generate(_running[i]);
        }

        if (sequences > 0)
        {
            _stepTime.Add(_events.Now, prefill + _hardware.Decode(sequences), 1);
        }

        if (chunk > 0)
        {
            PrefillTime += prefill;
            _prefillRate.Add(_events.Now, chunk, prefill);
            Advance(prompt!, chunk);
        }

        _busy = false;
        Continue();
    }

    private void Advance(SimulatedRequest prompt, int chunk)
    {
        prompt.Computed += chunk;
        bool complete = prompt.Computed == prompt.PromptTokens;
        Extend(prompt, complete ? prompt.Blocks.Count : Math.Max(prompt.Computed / HardwareModel.BlockTokens, prompt.HeldByCompute));
        if (!complete)
        {
            return;
        }

        _queue.Dequeue();
        if (prompt.Placement!.Prefill is null)
        {
            BeginOutput(prompt);
            return;
        }

        // Blocks are sent while others are computed; the link may be busy with others' blocks.
        int missing = prompt.Blocks.Count - prompt.HeldByDecode;
        double sent = Send(missing, prompt.ComputeStart);
        _events.At(Math.Max(sent, _events.Now) + _hardware.LastLayer(missing) + HardwareModel.RoundTrip, () =>
        {
            Cache.Release(prompt.Blocks, prompt.HeldByCompute);
            _listener.PrefillEnded(prompt);
        });
    }

    private void BeginOutput(SimulatedRequest request)
    {
        request.FirstToken = _events.Now;
        request.OutputBlocks = (request.OutputTokens + HardwareModel.BlockTokens - 1) / HardwareModel.BlockTokens;
        Cache.TakeUnnamed(request.OutputBlocks);
        _running.Add(request);
        _listener.FirstToken(request);
        Generate(request);
    }

    private void Generate(SimulatedRequest request)
    {
        if (++request.Generated < request.OutputTokens)
        {
            return;
        }

        // Nothing in a trace says whether an answer comes again as part of a prompt: its blocks are given up.
        request.LastToken = _events.Now;
        _running.Remove(request);
        _outputs.Add(request.OutputTokens);
        Cache.TakeUnnamed(-request.OutputBlocks);
        Cache.Release(request.Blocks, request.Placement!.Prefill is null ? request.HeldByCompute : request.HeldByDecode);
        _listener.Ended(request);
    }
}
