using LlmCluster.Cluster;
using LlmCluster.Gateway.Placement;

namespace LlmCluster.Gateway.Dispatch;

/// <summary>
/// What this gateway has placed on workers since they last reported their load. Without it, all requests between two reports would go to the worker that was idle at
/// the first one. Members may be called from any thread.
/// </summary>
internal sealed class RecentPlacements
{
    private readonly Dictionary<string, Placed> _byWorker = [];
    private readonly Lock _lock = new();

    private readonly record struct Placed(long Report, int Sequences, int PromptTokens, long OutputTokens, int Blocks);

    /// <summary>The workers, with what was placed on them added to their loads.</summary>
    public IReadOnlyList<WorkerSnapshot> AddTo(IReadOnlyList<WorkerSnapshot> workers)
    {
        lock (_lock)
        {
            if (_byWorker.Count == 0)
            {
                return workers;
            }

            WorkerSnapshot[] loaded = [.. workers.Select(AddTo)];
            if (_byWorker.Count > loaded.Length)
            {
                HashSet<string> live = [.. loaded.Select(w => w.Info.Id)];
                foreach (string gone in _byWorker.Keys.Where(id => !live.Contains(id)).ToArray())
                {
                    _byWorker.Remove(gone);
                }
            }

            return loaded;
        }
    }

    /// <summary>Takes note of a placement.</summary>
    public void Add(RequestPlacement placement, PlacementRequest request)
    {
        lock (_lock)
        {
            if (placement.Prefill is { } prefill)
            {
                Add(prefill, request, prompts: true, outputs: false);
            }

            Add(placement.Decode, request, prompts: placement.Prefill is null, outputs: true);
        }
    }

    private WorkerSnapshot AddTo(WorkerSnapshot worker)
    {
        if (!_byWorker.TryGetValue(worker.Info.Id, out Placed placed))
        {
            return worker;
        }

        WorkerLoad load = worker.Load;
        if (placed.Report != load.Report)
        {
            _byWorker.Remove(worker.Info.Id);
            return worker;
        }

        return worker with
        {
            Load = load with
            {
                Waiting = load.Waiting + placed.Sequences,
                WaitingTokens = load.WaitingTokens + placed.PromptTokens,
                PredictedTokens = load.PredictedTokens + placed.OutputTokens,
                PredictedBlocks = load.PredictedBlocks + placed.Blocks,
            },
        };
    }

    private void Add(WorkerSnapshot worker, PlacementRequest request, bool prompts, bool outputs)
    {
        // Without numbers nobody could tell what a report covers.
        if (worker.Load.Report == 0)
        {
            return;
        }

        _byWorker.TryGetValue(worker.Info.Id, out Placed placed);
        if (placed.Report != worker.Load.Report)
        {
            placed = new Placed(worker.Load.Report, 0, 0, 0, 0);
        }

        long output = outputs ? (long)request.Sequences * worker.Load.MedianOutput : 0;
        long blocks = (request.PromptTokens + output) / worker.Info.BlockSize;
        _byWorker[worker.Info.Id] = placed with
        {
            Sequences = placed.Sequences + request.Sequences,
            PromptTokens = placed.PromptTokens + (prompts ? request.PromptTokens : 0),
            OutputTokens = placed.OutputTokens + output,
            Blocks = (int)Math.Min(placed.Blocks + blocks, int.MaxValue / 2),
        };
    }
}
