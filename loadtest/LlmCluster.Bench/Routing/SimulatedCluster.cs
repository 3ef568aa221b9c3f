using LlmCluster.Bench.Traces;
using LlmCluster.Cluster;
using LlmCluster.Cluster.Reservations;
using LlmCluster.Gateway.Placement;

namespace LlmCluster.Bench.Routing;

/// <summary>
/// A gateway and workers in virtual time. The gateway places requests by a real policy with what a real gateway knows: reports that are up to an interval old, a
/// directory that lags behind, exact reservations. What finds no room waits at the gateway, first come first served.
/// </summary>
internal sealed class SimulatedCluster : IWorkerEvents
{
    private const string Model = "simulated";

    private readonly RoutingBenchmarkOptions _options;
    private readonly IPlacementPolicy _policy;
    private readonly EventQueue _events = new();
    private readonly Dictionary<string, SimulatedWorker> _byId;
    private readonly PlacedSinceReport _placed = new();
    private readonly LinkedList<SimulatedRequest> _waiting = new();
    private int _unfinished;

    private SimulatedCluster(RoutingBenchmarkOptions options, IPlacementPolicy policy)
    {
        (_options, _policy) = (options, policy);
        var hardware = new HardwareModel(options);
        Workers =
        [
            .. Enumerable.Range(1, options.Prefill).Select(i => Create($"p{i}", WorkerRole.Prefill)),
            .. Enumerable.Range(1, options.Decode).Select(i => Create($"d{i}", WorkerRole.Decode)),
            .. Enumerable.Range(1, options.Mixed).Select(i => Create($"m{i}", WorkerRole.Mixed)),
        ];
        _byId = Workers.ToDictionary(worker => worker.Info.Id);

        SimulatedWorker Create(string id, WorkerRole role) => new(
            new WorkerInfo
            {
                Id = id,
                Role = role,
                Model = Model,
                ModelFingerprint = Model,
                LayoutFingerprint = Model,
                HttpEndpoint = new Uri($"http://{id}:1"),
                GrpcEndpoint = new Uri($"http://{id}:2"),
                TotalBlocks = options.PoolBlocks,
                BlockSize = HardwareModel.BlockTokens,
                BlockBytes = hardware.BlockBytes,
                ContextLength = int.MaxValue,
            },
            _events, hardware, options.DirectoryMs / 1000.0, this);
    }

    /// <summary>The workers.</summary>
    public IReadOnlyList<SimulatedWorker> Workers { get; }

    /// <summary>The requests, as they ended.</summary>
    public IReadOnlyList<SimulatedRequest> Requests { get; private set; } = [];

    /// <summary>Runs requests through a cluster until all have ended.</summary>
    public static SimulatedCluster Run(
        RoutingBenchmarkOptions options, IPlacementPolicy policy, IReadOnlyList<TraceRequest> trace, CancellationToken cancellationToken)
    {
        var cluster = new SimulatedCluster(options, policy);
        double first = trace[0].Timestamp;
        cluster.Requests = [.. trace.Select((request, i) => new SimulatedRequest(request, (request.Timestamp - first) / 1000 / options.RateScale, i + 1))];
        cluster._unfinished = trace.Count;
        var random = new Random(options.Seed);
        foreach (SimulatedWorker worker in cluster.Workers)
        {
            cluster._events.At(random.NextDouble() * options.ReportMs / 1000, () => cluster.Report(worker));
        }

        foreach (SimulatedRequest request in cluster.Requests)
        {
            cluster._events.At(request.Arrival, () => cluster.Arrive(request));
        }

        cluster._events.Run(cancellationToken);
        return cluster._unfinished == 0 ? cluster : throw new InvalidOperationException($"{cluster._unfinished} simulated requests never ended.");
    }

    public void TransferOpens(SimulatedRequest request)
    {
        SimulatedWorker decode = _byId[request.Placement!.Decode.Info.Id];
        int held = decode.Cache.Match(request.Blocks);
        for (; request.HeldByDecode < held; request.HeldByDecode++)
        {
            decode.Cache.Reference(request.Blocks[request.HeldByDecode]);
        }
    }

    public void PrefillEnded(SimulatedRequest request)
    {
        Release(request.Claims[0]);
        _byId[request.Placement!.Decode.Info.Id].TakeOver(request);
        PlaceWaiting();
    }

    public void FirstToken(SimulatedRequest request)
    {
        if (request.Placement!.Prefill is null)
        {
            RoomClaim claim = request.Claims[0];
            Release(claim with { Blocks = 0, Sequences = 0 });
            request.Claims = [claim with { PrefillTokens = 0 }];
        }
    }

    public void Ended(SimulatedRequest request)
    {
        Release(request.Claims[^1]);
        _unfinished--;
        PlaceWaiting();
    }

    private void Report(SimulatedWorker worker)
    {
        worker.Report();
        if (_unfinished > 0)
        {
            _events.At(_events.Now + (_options.ReportMs / 1000.0), () => Report(worker));
        }
    }

    private void Arrive(SimulatedRequest request)
    {
        // Who came before and waits is served first.
        if (_waiting.Count > 0 || !TryPlace(request))
        {
            _waiting.AddLast(request);
            _events.At(_events.Now + _options.QueueLimit, () =>
            {
                if (_waiting.Remove(request))
                {
                    Reject(request);
                }
            });
        }
    }

    private void PlaceWaiting()
    {
        while (_waiting.First is { } first && TryPlace(first.Value))
        {
            _waiting.Remove(first);
        }
    }

    private void Reject(SimulatedRequest request)
    {
        request.Rejected = true;
        _unfinished--;
    }

    // Returns false when there is no room.
    private bool TryPlace(SimulatedRequest request)
    {
        var held = new Dictionary<string, HeldTokens>();
        foreach (SimulatedWorker worker in Workers)
        {
            int tokens = request.TokensOf(worker.Directory.Match(_events.Now, request.Blocks));
            if (tokens > 0)
            {
                held[worker.Info.Id] = new HeldTokens(tokens, tokens);
            }
        }

        var facts = new PlacementRequest(Model, request.PromptTokens, 1, request.Turn) { Held = held };
        List<WorkerSnapshot> candidates = [.. Workers.Select(_placed.Snapshot)];
        while (_policy.PlaceForeseen(facts, candidates).Placement is { } placement)
        {
            IReadOnlyList<RoomClaim> claims = RoomClaims.For(placement, facts);
            int full = claims.Index().Where(claim => IsFull(claim.Item)).Select(claim => claim.Index).DefaultIfEmpty(-1).First();
            if (full < 0)
            {
                Start(request, placement, claims);
                return true;
            }

            // As a gateway whose reservation is refused: the next best without that worker.
            candidates.RemoveAll(worker => worker.Info.Id == claims[full].WorkerId);
        }

        return false;
    }

    private bool IsFull(RoomClaim claim) => _byId[claim.WorkerId].Reserved.Blocks + claim.Blocks > claim.BlockLimit;

    private void Start(SimulatedRequest request, RequestPlacement placement, IReadOnlyList<RoomClaim> claims)
    {
        if (placement.Estimate!.Value.Ttft.TotalSeconds + _events.Now - request.Arrival > _options.QueueLimit)
        {
            Reject(request);
            return;
        }

        request.Placement = placement;
        request.Claims = claims;
        foreach (RoomClaim claim in claims)
        {
            SimulatedWorker worker = _byId[claim.WorkerId];
            ReservedRoom reserved = worker.Reserved;
            worker.Reserved = new ReservedRoom(reserved.Blocks + claim.Blocks, reserved.PrefillTokens + claim.PrefillTokens, reserved.Sequences + claim.Sequences);
            _placed.Add(worker, claim);
        }

        _byId[placement.Computes.Info.Id].Accept(request, placement.FetchFrom is { } source ? _byId[source.Info.Id] : null);
    }

    private void Release(RoomClaim claim)
    {
        SimulatedWorker worker = _byId[claim.WorkerId];
        ReservedRoom reserved = worker.Reserved;
        worker.Reserved = new ReservedRoom(reserved.Blocks - claim.Blocks, reserved.PrefillTokens - claim.PrefillTokens, reserved.Sequences - claim.Sequences);
    }
}
