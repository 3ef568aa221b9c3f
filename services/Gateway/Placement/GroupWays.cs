using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>A way to serve a request.</summary>
/// <param name="IsPair">Whether two workers share it.</param>
/// <param name="Compute">Who computes the prompts.</param>
/// <param name="Decode">Who generates.</param>
/// <param name="Cost">What it comes to.</param>
internal readonly record struct Way(bool IsPair, ComputeCost Compute, DecodeCost Decode, WayCost Cost);

/// <summary>Is shown ways: thousands for a request, so that what they consist of is looked up for the few that matter.</summary>
internal interface IWayVisitor
{
    /// <param name="ways">The group's ways.</param>
    /// <param name="compute">Index of the computing side.</param>
    /// <param name="decode">Index of the generating side; -1 when the computing worker generates.</param>
    /// <param name="cost">What it comes to.</param>
    /// <param name="burden">What it loads on workers: the time per output token by the least that there is, plus new copies by the prompts' length.</param>
    void Visit(GroupWays ways, int compute, int decode, in WayCost cost, double burden);
}

/// <summary>All ways through a group of workers. What depends on one worker alone is computed once a worker; a pair then takes a few operations.</summary>
internal sealed class GroupWays
{
    private readonly CostModel _model;
    private readonly ComputeCost[] _prefill;
    private readonly DecodeCost[] _decode;
    private readonly ComputeCost[] _alone;
    private readonly DecodeCost[] _aloneDecode;
    private readonly double _byLeastTpot;
    private readonly double _byPrompt;
    private readonly int _first;

    public GroupWays(PlacementRequest request, WorkerGroup group)
    {
        WorkerSnapshot[] all = [.. group.Prefill, .. group.Decode, .. group.Mixed];
        WorkerSnapshot? source = Source(request, all);
        _model = new CostModel(request, GroupRates.Of(all));
        _prefill = group.HasPairs ? [.. group.Prefill.SelectMany(worker => Computing(worker, source))] : [];
        _decode = group.HasPairs ? [.. group.Decode.Select(_model.Decode)] : [];
        _aloneDecode = [.. _decode, .. group.Mixed.Select(_model.Decode)];
        _alone = [.. _aloneDecode.Select(decode => Alone(decode, source))];
        _byLeastTpot = 1 / _aloneDecode.Min(decode => decode.Tpot);
        _byPrompt = 1.0 / Math.Max(request.PromptTokens, 1);
        _first = (int)(Math.Max(request.Turn, 0) % all.Length);
    }

    /// <summary>Shows them all. Where they begin changes from turn to turn, so that equals take turns.</summary>
    public void ForEach<T>(ref T visitor)
        where T : struct, IWayVisitor
    {
        int i = _prefill.Length == 0 ? 0 : _first % _prefill.Length;
        for (int left = _prefill.Length; left > 0; left--)
        {
            ref readonly ComputeCost compute = ref _prefill[i];
            int j = _first % _decode.Length;
            for (int others = _decode.Length; others > 0; others--)
            {
                WayCost cost = _model.Pair(compute, _decode[j]);
                visitor.Visit(this, i, j, cost, Burden(cost));
                j = j + 1 == _decode.Length ? 0 : j + 1;
            }

            i = i + 1 == _prefill.Length ? 0 : i + 1;
        }

        i = _first % _alone.Length;
        for (int left = _alone.Length; left > 0; left--)
        {
            WayCost cost = _model.Alone(_alone[i], _aloneDecode[i]);
            visitor.Visit(this, i, -1, cost, Burden(cost));
            i = i + 1 == _alone.Length ? 0 : i + 1;
        }
    }

    /// <summary>The worker that computes.</summary>
    public WorkerSnapshot Computes(int compute, int decode) => (decode < 0 ? _alone : _prefill)[compute].Worker;

    /// <summary>A way that was shown.</summary>
    public Way Get(int compute, int decode, in WayCost cost) => decode < 0
        ? new Way(false, _alone[compute], _aloneDecode[compute], cost)
        : new Way(true, _prefill[compute], _decode[decode], cost);

    // Where K/V of the prompt is fetched from: who holds most, of these the least busy. None where the size of a block is unknown, and with it the price.
    private static WorkerSnapshot? Source(PlacementRequest request, WorkerSnapshot[] workers) => workers
        .Where(worker => worker.Info.BlockBytes > 0 && request.HeldBy(worker).Any > 0)
        .OrderByDescending(worker => request.HeldBy(worker).Any)
        .ThenBy(CostModel.QueuedTokens)
        .ThenBy(worker => worker.Info.Id, StringComparer.Ordinal)
        .FirstOrDefault();

    // With a fetch only where the prompt is then computed sooner: otherwise nothing is sooner.
    private IEnumerable<ComputeCost> Computing(WorkerSnapshot worker, WorkerSnapshot? source)
    {
        ComputeCost own = _model.Compute(worker, source: null);
        ComputeCost fetching = _model.Compute(worker, source);
        return fetching.End < own.End ? [own, fetching] : [own];
    }

    private ComputeCost Alone(DecodeCost decode, WorkerSnapshot? source)
    {
        ComputeCost own = _model.Compute(decode.Worker, source: null);
        ComputeCost fetching = _model.Compute(decode.Worker, source);
        return _model.Alone(fetching, decode).Total < _model.Alone(own, decode).Total ? fetching : own;
    }

    private double Burden(in WayCost cost) => (cost.Tpot * _byLeastTpot) + (cost.Stored * _byPrompt);
}
