using System.Globalization;
using LlmCluster.Bench.Traces;
using LlmCluster.Gateway.Placement;

namespace LlmCluster.Bench.Routing;

/// <summary>
/// Replays a trace of requests through the placement policies of the gateway against simulated workers, in virtual time. Every policy sees the same arrivals and as much
/// as a gateway would; the outcome depends on the options alone.
/// </summary>
public static class RoutingBenchmark
{
    /// <summary>Runs all policies.</summary>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="IOException">The trace can't be read.</exception>
    public static async Task<RoutingBenchmarkResult> RunAsync(RoutingBenchmarkOptions options, CancellationToken cancellationToken)
    {
        options.Validate();
        IReadOnlyList<TraceRequest> all = await TraceFile.ReadAsync(options.Trace, cancellationToken).ConfigureAwait(false);
        TraceRequest[] trace = [.. all.Take(options.Requests).Select(Whole)];
        var figures = new Dictionary<string, PolicyFigures>();
        foreach (string name in options.Policies)
        {
            figures[name] = PolicyFigures.Of(SimulatedCluster.Run(options, PlacementPolicies.Create(name), trace, cancellationToken));
        }

        return new RoutingBenchmarkResult
        {
            Requests = trace.Length,
            PromptTokens = trace.Sum(request => (long)request.InputTokens),
            Seconds = Math.Round((trace[^1].Timestamp - trace[0].Timestamp) / 1000.0 / options.RateScale, 3),
            CostModel = Describe(options),
            BestHitRate = BestHitRate(trace, (options.Prefill + options.Decode + options.Mixed) * options.PoolBlocks),
            Policies = figures,
        };
    }

    /// <summary>Hit rate of one cache which sees every request in order of arrival, and holds its prompt at once.</summary>
    internal static double BestHitRate(IReadOnlyList<TraceRequest> trace, int blocks)
    {
        var cache = new BlockCache(blocks);
        double prompts = 0;
        double cached = 0;
        foreach (TraceRequest request in trace)
        {
            long held = (long)cache.Match(request.HashIds) * HardwareModel.BlockTokens;
            prompts += request.InputTokens;
            cached += Math.Min(held, request.InputTokens - 1);
            foreach (long id in request.HashIds)
            {
                cache.Reference(id);
            }

            cache.Release(request.HashIds, request.HashIds.Count);
        }

        return Math.Round(cached / prompts, 4);
    }

    /// <summary>The cost model in sentences.</summary>
    internal static IReadOnlyList<string> Describe(RoutingBenchmarkOptions options)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        string workers = string.Join(" + ", new[] { (options.Prefill, "prefill"), (options.Decode, "decode"), (options.Mixed, "mixed") }
            .Where(role => role.Item1 > 0).Select(role => string.Create(culture, $"{role.Item1} {role.Item2}")));
        return
        [
            string.Create(culture, $"{workers} workers, each with {options.PoolBlocks} blocks of {HardwareModel.BlockTokens} tokens of {options.TokenKiB} KiB; evicted least recently used, the end of a prefix first"),
            string.Create(culture, $"prefill: {options.PrefillRate} tokens/s, times 1 + (position / {options.AttentionTokens}) for attention; one prompt at a time, first come first served"),
            string.Create(culture, $"decode: {options.StepMs} ms a step and {options.SequenceMs} ms for each sequence in it; with prompts in between, steps of up to {options.MaxStepMs} ms"),
            string.Create(culture, $"transfers and fetches: {options.TransferMBs} MB/s on the sender's link, one after the other; transfers overlap with prefill but for 1/32 of them"),
            string.Create(culture, $"gateway: reports of load every {options.ReportMs} ms, directory {options.DirectoryMs} ms late, reservations exact; rejects beyond {options.QueueLimit} s to the first token"),
        ];
    }

    // A trace may say less of a prompt than its length: the rest is nobody else's.
    private static TraceRequest Whole(TraceRequest request, int index)
    {
        int blocks = (request.InputTokens + HardwareModel.BlockTokens - 1) / HardwareModel.BlockTokens;
        IEnumerable<long> own = Enumerable.Range(0, Math.Max(blocks - request.HashIds.Count, 0)).Select(i => -1 - (((long)index << 20) + i));
        return request with { HashIds = [.. request.HashIds.Take(blocks), .. own] };
    }
}
