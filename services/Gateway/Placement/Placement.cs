using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>What a placement policy knows of a request.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="PromptTokens">Tokens of all prompts.</param>
/// <param name="Sequences">Prompts times choices.</param>
/// <param name="Turn">Number of the request among those that all gateways placed, from 1.</param>
public sealed record PlacementRequest(string Model, int PromptTokens, int Sequences, long Turn)
{
    /// <summary>How many of the prompt tokens each worker holds the K/V of, by its id; workers that hold none may be left out. Hints.</summary>
    public IReadOnlyDictionary<string, HeldTokens> Held { get; init; } = new Dictionary<string, HeldTokens>();

    /// <summary>Most tokens to generate, in all sequences together; 0 where that is not known.</summary>
    public long MaxOutputTokens { get; init; }

    /// <summary>Longest time to the first token that the request's class allows; null where there is no target.</summary>
    public TimeSpan? TtftTarget { get; init; }

    /// <summary>Longest time per output token that the request's class allows; null where there is no target.</summary>
    public TimeSpan? TpotTarget { get; init; }

    /// <summary>Tokens that a worker holds.</summary>
    public HeldTokens HeldBy(WorkerSnapshot worker) => Held.GetValueOrDefault(worker.Info.Id);
}

/// <summary>Prompt tokens whose K/V a worker holds.</summary>
/// <param name="Device">In its KV pool.</param>
/// <param name="Any">In any tier; at least <paramref name="Device"/>.</param>
public readonly record struct HeldTokens(int Device, int Any);

/// <summary>Where a request runs.</summary>
/// <param name="Prefill">Computes the prompts; null when <paramref name="Decode"/> does so itself.</param>
/// <param name="Decode">Generates and answers.</param>
/// <param name="Reason">Why, for operators.</param>
public sealed record RequestPlacement(WorkerSnapshot? Prefill, WorkerSnapshot Decode, string Reason)
{
    /// <summary>The worker that computes the prompts.</summary>
    public WorkerSnapshot Computes => Prefill ?? Decode;

    /// <summary>A worker from which <see cref="Computes"/> takes blocks of the prompts that it lacks; null when it computes them all.</summary>
    public WorkerSnapshot? FetchFrom { get; init; }

    /// <summary>Prompt tokens whose K/V <see cref="Computes"/> will hold before it computes: those that it has, and those that it fetches.</summary>
    public int ReusedTokens { get; init; }

    /// <summary>What is foreseen; null from a policy that foresees nothing.</summary>
    public PlacementEstimate? Estimate { get; init; }
}

/// <summary>What a placement is predicted to come to.</summary>
/// <param name="Ttft">Time to the first token: queue, fetch, prefill and transfer.</param>
/// <param name="Tpot">Time per output token of the decode worker with this request.</param>
/// <param name="Fits">Whether its workers have the memory for it, by what is reserved.</param>
public readonly record struct PlacementEstimate(TimeSpan Ttft, TimeSpan Tpot, bool Fits);

/// <summary>A placement, or the reason why there is none.</summary>
/// <param name="Placement">The placement, or null.</param>
/// <param name="Reason">Why it is this one, or why there is none.</param>
public readonly record struct PlacementResult(RequestPlacement? Placement, string Reason);
