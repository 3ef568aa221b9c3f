using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>
/// Predicts what it takes to serve a request, in seconds, from what workers report, what is reserved on them and what they hold of the prompt. The terms are those of a
/// request's path: queue or fetch, whichever takes longer (a worker fetches while it is busy with others), prefill, what is left of the transfer, a decode step.
/// </summary>
/// <param name="request">The request.</param>
/// <param name="rates">Rates of the workers of the group.</param>
internal sealed class CostModel(PlacementRequest request, GroupRates rates)
{
    /// <summary>Seconds from asking a worker for blocks to their first byte, and to tell a worker that a transfer is complete.</summary>
    public const double RoundTrip = 0.001;

    /// <summary>The last layer of the last chunk is sent when all is computed: this share of a transfer can't overlap with compute.</summary>
    public const double LastLayer = 1.0 / 32;

    /// <summary>A step with no sequence in it takes as long as this many sequences add to it: weights are read once a step, K/V once a sequence.</summary>
    public const double FixedSequences = 32;

    /// <summary>Where sequences decode, prompts get this share of the time, steps of both in turn.</summary>
    public const double SharedPrefill = 0.5;

    /// <summary>What a second for which one running stream stalls is worth, in seconds to the first token: who waits is a user either way.</summary>
    public const double StreamSecond = 1;

    /// <summary>
    /// The share of the blocks at the end of a full pool that would have been asked for again: storing a token evicts one, which then costs its prefill with this probability.
    /// </summary>
    public const double Regret = 0.2;

    private readonly double _tpotTarget = request.TpotTarget?.TotalSeconds ?? double.PositiveInfinity;

    /// <summary>The computing side, with a source of blocks or none.</summary>
    public ComputeCost Compute(WorkerSnapshot worker, WorkerSnapshot? source)
    {
        WorkerRates own = rates.For(worker);
        HeldTokens held = Reusable(request.HeldBy(worker));
        int fetched = source is null ? 0 : Math.Max(Reusable(request.HeldBy(source)).Any - held.Any, 0);
        int reused = held.Any + fetched;
        double rate = fetched == 0 ? own.Transfer : Math.Min(own.Transfer, rates.For(source!).Transfer);
        return new ComputeCost
        {
            Worker = worker,
            Source = fetched == 0 ? null : source,
            Queue = QueuedTokens(worker) / own.Prefill,

            // A tier below the pool is taken to be no slower than the network.
            Fetch = (fetched == 0 ? 0 : RoundTrip + (Bytes(fetched, worker) / rate)) + (Bytes(held.Any - held.Device, worker) / own.Transfer),
            Compute = (request.PromptTokens - reused) / own.Prefill,
            Reused = reused,
            Fetched = fetched,
            Stored = request.PromptTokens - held.Device,
            TokenTime = 1 / own.Prefill,
            TransferRate = own.Transfer,
            Fits = worker.Reserved.Blocks + RoomClaims.PromptBlocks(request, worker) <= worker.Info.TotalBlocks,
        };
    }

    /// <summary>The generating side.</summary>
    public DecodeCost Decode(WorkerSnapshot worker)
    {
        WorkerRates own = rates.For(worker);
        WorkerLoad load = worker.Load;
        long streams = Math.Max((long)load.Running + load.Waiting, worker.Reserved.Sequences);
        double each = own.Step / (FixedSequences + Math.Max(load.Running, 1));
        int missing = request.PromptTokens - Reusable(request.HeldBy(worker)).Any;
        return new DecodeCost
        {
            Worker = worker,
            Step = load.Running == 0 ? 0 : own.Step,
            Tpot = each * (FixedSequences + streams + request.Sequences),
            Missing = missing,
            MissingBytes = Bytes(missing, worker),
            TransferRate = own.Transfer,
            Streams = streams,
            Output = Math.Max((double)RoomClaims.PredictedOutput(request, worker) / Math.Max(request.Sequences, 1), 1),
            Fits = worker.Reserved.Blocks + RoomClaims.BlocksWithOutput(request, worker) <= worker.Info.TotalBlocks,
        };
    }

    /// <summary>One worker computes, the other generates.</summary>
    public WayCost Pair(in ComputeCost compute, in DecodeCost decode)
    {
        double transfer = decode.MissingBytes / Math.Min(compute.TransferRate, decode.TransferRate);
        double handover = RoundTrip + Math.Max(transfer - compute.Compute, 0) + (transfer * LastLayer);
        int stored = compute.Stored + decode.Missing;
        double charge = Regret * stored * compute.TokenTime;
        return new WayCost(
            compute.Queue, Math.Max(compute.Fetch - compute.Queue, 0), compute.Compute, handover, decode.Step, decode.Tpot, charge, stored,
            Rank(compute.Fits && decode.Fits, decode.Tpot));
    }

    /// <summary>One worker does both.</summary>
    public WayCost Alone(in ComputeCost compute, in DecodeCost decode)
    {
        double slow = decode.Streams == 0 ? 1 : 1 / SharedPrefill;
        double queue = compute.Queue * slow;
        double charge = (StreamSecond * decode.Streams * compute.Compute) + (Regret * compute.Stored * compute.TokenTime);

        // What streams stall is spread over their outputs.
        double streams = decode.Tpot + (decode.Streams == 0 ? 0 : compute.Compute / decode.Output);
        return new WayCost(
            queue, Math.Max(compute.Fetch - queue, 0), compute.Compute * slow, 0, decode.Step, decode.Tpot, charge, compute.Stored,
            Rank(decode.Fits, streams));
    }

    /// <summary>Prompt tokens that a worker is to compute first: what it reports, or what is reserved where that is more, as reports are old by some 100 ms.</summary>
    public static long QueuedTokens(WorkerSnapshot worker) => Math.Max(worker.Load.WaitingTokens, worker.Reserved.PrefillTokens);

    // The last token of a prompt is computed always: it yields the first one of the output.
    private HeldTokens Reusable(HeldTokens held)
    {
        int most = Math.Max(request.PromptTokens - 1, 0);
        int any = Math.Clamp(held.Any, 0, most);
        return new HeldTokens(Math.Clamp(held.Device, 0, any), any);
    }

    private int Rank(bool fits, double tpot) => !fits ? 2 : tpot > _tpotTarget ? 1 : 0;

    private static double Bytes(int tokens, WorkerSnapshot worker) =>
        tokens <= 0 ? 0 : Math.Ceiling((double)tokens / Math.Max(worker.Info.BlockSize, 1)) * worker.Info.BlockBytes;
}
