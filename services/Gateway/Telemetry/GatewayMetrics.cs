using System.Diagnostics.Metrics;
using LlmCluster.Cluster;
using LlmCluster.Cluster.Accounts;
using LlmCluster.Gateway.Admission;
using LlmCluster.Gateway.Placement;
using LlmCluster.Gateway.Resilience;

namespace LlmCluster.Gateway.Telemetry;

/// <summary>The gateway's instruments. Those of all gateways in a process add up.</summary>
public static class GatewayMetrics
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "LlmCluster.Gateway";

    /// <summary>Tag of a rejection: the error's code.</summary>
    public const string ReasonTag = "reason";

    /// <summary>Tag of the request's class; missing where the caller is not known.</summary>
    public const string ClassTag = "class";

    /// <summary>Tag of the limit: <c>requests</c>, <c>tokens</c> or <c>budget</c>.</summary>
    public const string LimitTag = "limit";

    /// <summary>Tag of a placement: <c>pair</c>, <c>decode</c> for a decode worker that computes the prompt itself, or <c>mixed</c>.</summary>
    public const string WayTag = "way";

    /// <summary>Tag of a placement: whether blocks are fetched from another worker.</summary>
    public const string FetchTag = "fetch";

    private const string Prefix = "llmcluster.gateway.";

    private static readonly Meter Meter = new(MeterName);
    private static readonly Lock Lock = new();
    private static readonly List<AdmissionQueue> Queues = [];
    private static readonly List<StateHealth> States = [];

    private static readonly Counter<long> Rejected = Meter.CreateCounter<long>(
        Prefix + "requests.rejected", "{request}", "Requests that were refused: by key, limit, class or for want of workers.");

    private static readonly Counter<long> LimitRefusals = Meter.CreateCounter<long>(
        Prefix + "limits.refused", "{request}", "Requests that a limit of their key refused.");

    private static readonly Histogram<double> QueueWait = Meter.CreateHistogram<double>(
        Prefix + "queue.wait", "s", "Waits in the gateway's queue, however they ended; requests that were placed at once are left out.");

    private static readonly Counter<long> Placements = Meter.CreateCounter<long>(
        Prefix + "placements", "{request}", "Requests that were placed, by the way they take.");

    private static readonly Counter<long> Prompts = Meter.CreateCounter<long>(Prefix + "prompt.tokens", "{token}", "Prompt tokens of requests that were placed.");

    private static readonly Counter<long> Reused = Meter.CreateCounter<long>(
        Prefix + "prompt.reused_tokens", "{token}", "Those whose K/V is not to be computed, by what the prefix directory says.");

    private static readonly Histogram<double> PredictedTtft = Meter.CreateHistogram<double>(
        Prefix + "ttft.predicted", "s", "Times to the first token that were predicted, of requests with streamed answers.");

    private static readonly Histogram<double> ObservedTtft = Meter.CreateHistogram<double>(
        Prefix + "ttft.observed", "s", "Times to the first token that came of these.");

    static GatewayMetrics()
    {
        Meter.CreateObservableUpDownCounter(Prefix + "queue.length", ObserveQueues, "{request}", "Requests that wait in the gateway for their placement.");
        Meter.CreateObservableGauge(
            Prefix + "state.degraded", ObserveStates, null, "1 while the cluster's state can't be reached and the gateway goes by its last view of it, else 0.");
    }

    /// <summary>Counts a request that was refused.</summary>
    internal static void Reject(string reason, string? @class)
    {
        var tags = new System.Diagnostics.TagList { { ReasonTag, reason } };
        if (@class is not null)
        {
            tags.Add(ClassTag, @class);
        }

        Rejected.Add(1, tags);
    }

    /// <summary>Counts a request that a limit refused.</summary>
    internal static void RefuseByLimit(ChargeRefusal limit, string @class) =>
        LimitRefusals.Add(1, new KeyValuePair<string, object?>(LimitTag, limit.ToString().ToLowerInvariant()), new KeyValuePair<string, object?>(ClassTag, @class));

    /// <summary>Counts a placement.</summary>
    internal static void Place(RequestPlacement placement, PlacementRequest request)
    {
        string way = placement.Prefill is not null ? "pair" : placement.Decode.Info.Role == WorkerRole.Mixed ? "mixed" : "decode";
        Placements.Add(1, new KeyValuePair<string, object?>(WayTag, way), new KeyValuePair<string, object?>(FetchTag, placement.FetchFrom is not null));
        Prompts.Add(request.PromptTokens);
        Reused.Add(placement.ReusedTokens);
    }

    /// <summary>Records what was predicted beside what came of it.</summary>
    internal static void Foreseen(RequestPlacement placement, TimeSpan ttft)
    {
        if (placement.Estimate is { } estimate)
        {
            PredictedTtft.Record(estimate.Ttft.TotalSeconds);
            ObservedTtft.Record(ttft.TotalSeconds);
        }
    }

    /// <summary>Records the end of a wait.</summary>
    internal static void Waited(TimeSpan wait, string @class) => QueueWait.Record(wait.TotalSeconds, new KeyValuePair<string, object?>(ClassTag, @class));

    /// <summary>Has the length of this queue reported.</summary>
    internal static void Add(AdmissionQueue queue) => Add(Queues, queue);

    /// <summary>Ends that.</summary>
    internal static void Remove(AdmissionQueue queue) => Remove(Queues, queue);

    /// <summary>Has it reported whether this state can be reached.</summary>
    internal static void Add(StateHealth state) => Add(States, state);

    /// <summary>Ends that.</summary>
    internal static void Remove(StateHealth state) => Remove(States, state);

    private static void Add<T>(List<T> all, T one)
    {
        lock (Lock)
        {
            all.Add(one);
        }
    }

    private static void Remove<T>(List<T> all, T one)
    {
        lock (Lock)
        {
            all.Remove(one);
        }
    }

    private static Measurement<long>[] ObserveQueues()
    {
        AdmissionQueue[] queues;
        lock (Lock)
        {
            queues = [.. Queues];
        }

        return [.. queues.SelectMany(static queue => queue.Lengths()).GroupBy(static pair => pair.Class)
            .Select(static one => new Measurement<long>(one.Sum(static pair => pair.Length), new KeyValuePair<string, object?>(ClassTag, one.Key)))];
    }

    private static int ObserveStates()
    {
        lock (Lock)
        {
            return States.Exists(static state => state.IsLastView) ? 1 : 0;
        }
    }
}
