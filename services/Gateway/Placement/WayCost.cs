using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>The side of a way that computes the prompts. Times in seconds.</summary>
internal readonly record struct ComputeCost
{
    /// <summary>The worker.</summary>
    public required WorkerSnapshot Worker { get; init; }

    /// <summary>From where it fetches; null when it computes all that it lacks.</summary>
    public required WorkerSnapshot? Source { get; init; }

    /// <summary>Until it has computed what it was given before.</summary>
    public required double Queue { get; init; }

    /// <summary>Until what it fetches is there, and what it holds in a lower tier is up; goes on while it is busy with others.</summary>
    public required double Fetch { get; init; }

    /// <summary>To compute what is left when it does nothing else.</summary>
    public required double Compute { get; init; }

    /// <summary>Prompt tokens that it need not compute.</summary>
    public required int Reused { get; init; }

    /// <summary>Those of them that it fetches.</summary>
    public required int Fetched { get; init; }

    /// <summary>Prompt tokens whose K/V its pool takes in: fetched, computed, or up from a lower tier.</summary>
    public required int Stored { get; init; }

    /// <summary>Seconds that it takes for a token.</summary>
    public required double TokenTime { get; init; }

    /// <summary>Bytes a second that it sends.</summary>
    public required double TransferRate { get; init; }

    /// <summary>Whether it has the blocks for the prompts.</summary>
    public required bool Fits { get; init; }

    /// <summary>From now until the prompts are computed.</summary>
    public double End => Math.Max(Queue, Fetch) + Compute;
}

/// <summary>The side of a way that generates. Times in seconds.</summary>
internal readonly record struct DecodeCost
{
    /// <summary>The worker.</summary>
    public required WorkerSnapshot Worker { get; init; }

    /// <summary>Until its next step, in which a sequence that came over is taken in; 0 when it generates nothing.</summary>
    public required double Step { get; init; }

    /// <summary>Time per output token with this request.</summary>
    public required double Tpot { get; init; }

    /// <summary>Prompt tokens that it lacks.</summary>
    public required int Missing { get; init; }

    /// <summary>Bytes of their blocks.</summary>
    public required double MissingBytes { get; init; }

    /// <summary>Bytes a second that it receives.</summary>
    public required double TransferRate { get; init; }

    /// <summary>Sequences that generate while it computes prompts itself.</summary>
    public required long Streams { get; init; }

    /// <summary>Tokens that a sequence is predicted to generate there; at least 1.</summary>
    public required double Output { get; init; }

    /// <summary>Whether it has the blocks for prompts and outputs.</summary>
    public required bool Fits { get; init; }
}

/// <summary>What a way to serve a request is predicted to come to. Times in seconds.</summary>
/// <param name="Queue">Until the computing worker gets to it.</param>
/// <param name="Fetch">What fetching adds to that.</param>
/// <param name="Compute">To compute the prompts.</param>
/// <param name="Handover">What is left of the transfer to the decode worker by then.</param>
/// <param name="Step">Until the decode worker's next step.</param>
/// <param name="Tpot">Time per output token.</param>
/// <param name="Charge">What it takes from others, see <see cref="CostModel"/>.</param>
/// <param name="Stored">Prompt tokens whose K/V pools take in, on both workers.</param>
/// <param name="Rank">0 when it fits memory and the target of the time per output token, its own and that of streams which it stalls; 1 when it fits memory; 2 when it doesn't.</param>
internal readonly record struct WayCost(
    double Queue, double Fetch, double Compute, double Handover, double Step, double Tpot, double Charge, int Stored, int Rank)
{
    /// <summary>Time to the first token.</summary>
    public double Ttft => Queue + Fetch + Compute + Handover + Step;

    /// <summary>What is minimised.</summary>
    public double Total => Ttft + Charge;

    /// <summary>Whether memory suffices.</summary>
    public bool Fits => Rank < 2;

    /// <summary>The part of it that others see.</summary>
    public PlacementEstimate ToEstimate() => new(ToTime(Ttft), ToTime(Tpot), Fits);

    // Overload can be predicted beyond what a TimeSpan holds.
    private static TimeSpan ToTime(double seconds) => TimeSpan.FromSeconds(Math.Min(seconds, 1e6));
}
