using System.Text.Json.Serialization;
using LlmCluster.Bench.Statistics;
using LlmCluster.Cluster;

namespace LlmCluster.Bench.Routing;

/// <summary>How a policy did.</summary>
public sealed record PolicyFigures
{
    /// <summary>Share of prompt tokens that were not computed, as they were held or fetched.</summary>
    [JsonPropertyName("hit_rate")]
    public required double HitRate { get; init; }

    /// <summary>Median of the time to the first token in milliseconds.</summary>
    [JsonPropertyName("ttft_p50_ms")]
    public required double TtftP50 { get; init; }

    /// <summary>Its 99th percentile.</summary>
    [JsonPropertyName("ttft_p99_ms")]
    public required double TtftP99 { get; init; }

    /// <summary>Its mean.</summary>
    [JsonPropertyName("ttft_mean_ms")]
    public required double TtftMean { get; init; }

    /// <summary>Median of the time per output token in milliseconds.</summary>
    [JsonPropertyName("tpot_p50_ms")]
    public required double TpotP50 { get; init; }

    /// <summary>Its 99th percentile.</summary>
    [JsonPropertyName("tpot_p99_ms")]
    public required double TpotP99 { get; init; }

    /// <summary>Requests that were turned away; they count in no other figure.</summary>
    [JsonPropertyName("rejected")]
    public required int Rejected { get; init; }

    /// <summary>Requests that were served.</summary>
    [JsonPropertyName("served")]
    public required int Served { get; init; }

    /// <summary>Time in which the busiest of the workers that compute prompts for others, or of the mixed ones, did so, by their mean.</summary>
    [JsonPropertyName("balance")]
    public required double Balance { get; init; }

    /// <summary>Share of time in which these workers computed prompts, from the first arrival to the last.</summary>
    [JsonPropertyName("utilisation")]
    public required double Utilisation { get; init; }

    /// <summary>Requests that fetched blocks.</summary>
    [JsonPropertyName("fetches")]
    public required int Fetches { get; init; }

    /// <summary>Share of prompt tokens that were fetched.</summary>
    [JsonPropertyName("fetched_rate")]
    public required double FetchedRate { get; init; }

    /// <summary>Requests whose prompt a decode worker computed itself.</summary>
    [JsonPropertyName("local")]
    public required int Local { get; init; }

    internal static PolicyFigures Of(SimulatedCluster cluster)
    {
        SimulatedRequest[] served = [.. cluster.Requests.Where(request => !request.Rejected)];
        double[] ttft = [.. served.Select(request => request.Ttft * 1000)];
        double[] tpot = [.. served.Select(request => request.Tpot * 1000).Where(time => !double.IsNaN(time))];
        double prompts = served.Sum(request => (double)request.PromptTokens);
        double[] busy = [.. cluster.Workers.Where(worker => worker.Info.Role != WorkerRole.Decode).Select(worker => worker.PrefillTime)];
        double span = cluster.Requests[^1].Arrival;
        return new PolicyFigures
        {
            HitRate = Rate(served.Sum(request => (double)request.CachedTokens), prompts),
            TtftP50 = At(ttft, 0.5),
            TtftP99 = At(ttft, 0.99),
            TtftMean = ttft.Length == 0 ? 0 : Math.Round(ttft.Average(), 1),
            TpotP50 = At(tpot, 0.5),
            TpotP99 = At(tpot, 0.99),
            Rejected = cluster.Requests.Count - served.Length,
            Served = served.Length,
            Balance = Rate(busy.Max(), busy.Average()),
            Utilisation = Rate(busy.Average(), span),
            Fetches = served.Count(request => request.FetchedTokens > 0),
            FetchedRate = Rate(served.Sum(request => (double)request.FetchedTokens), prompts),
            Local = served.Count(request => request.Placement is { Prefill: null, Decode.Info.Role: WorkerRole.Decode }),
        };
    }

    private static double At(double[] times, double share) => times.Length == 0 ? 0 : Math.Round(Percentile.Of(times, share), 1);

    private static double Rate(double part, double whole) => whole > 0 ? Math.Round(part / whole, 4) : 0;
}
