using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>A way to serve a request.</summary>
/// <param name="IsPair">Whether two workers share it.</param>
/// <param name="Compute">Who computes the prompts.</param>
/// <param name="Decode">Who generates.</param>
/// <param name="Cost">What it comes to.</param>
/// <param name="Burden">What it loads on workers: the time per output token by the least that there is, plus new copies by the prompts' length. For ways that are as fast.</param>
internal readonly record struct Way(bool IsPair, ComputeCost Compute, DecodeCost Decode, WayCost Cost, double Burden);

/// <summary>Is shown ways.</summary>
internal interface IWayVisitor
{
    void Visit(in Way way);
}

/// <summary>All ways through a group of workers. What depends on one worker alone is computed once a worker; a pair then takes a few operations.</summary>
internal sealed class GroupWays
{
    private readonly CostModel _model;
    private readonly ComputeCost[] _prefill;
    private readonly DecodeCost[] _decode;
    private readonly ComputeCost[] _alone;
    private readonly DecodeCost[] _aloneDecode;
    private readonly double _leastTpot;
    private readonly double _promptTokens;
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
        _leastTpot = _aloneDecode.Min(decode => decode.Tpot);
        _promptTokens = Math.Max(request.PromptTokens, 1);
        _first = (int)(Math.Max(request.Turn, 0) % all.Length);
    }

    /// <summary>Shows them all. Where they begin changes from turn to turn, so that equals take turns.</summary>
    public void ForEach<T>(ref T visitor)
        where T : struct, IWayVisitor
    {
        for (int i = 0; i < _prefill.Length; i++)
        {
            ref readonly ComputeCost compute = ref _prefill[(i + _first) % _prefill.Length];
            for (int j = 0; j < _decode.Length; j++)
            {
                ref readonly DecodeCost decode = ref _decode[(j + _first) % _decode.Length];
                Show(ref visitor, isPair: true, compute, decode, _model.Pair(compute, decode));
            }
        }

        for (int i = 0; i < _alone.Length; i++)
        {
            int at = (i + _first) % _alone.Length;
            Show(ref visitor, isPair: false, _alone[at], _aloneDecode[at], _model.Alone(_alone[at], _aloneDecode[at]));
        }
    }

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

    private void Show<T>(ref T visitor, bool isPair, in ComputeCost compute, in DecodeCost decode, in WayCost cost)
        where T : struct, IWayVisitor =>
        visitor.Visit(new Way(isPair, compute, decode, cost, (cost.Tpot / _leastTpot) + (cost.Stored / _promptTokens)));
}
