namespace LlmCluster.Gateway.Access;

/// <summary>What happens to a request that would be served later than its class is promised.</summary>
public enum WhenLate
{
    /// <summary>It is refused at once, with status 429.</summary>
    Reject,

    /// <summary>It waits in the gateway until the prediction is better, <see cref="ClassOptions.QueueTimeout"/> at most.</summary>
    Queue,
}

/// <summary>A class of requests: how soon they come, and what they are promised. Configuration section <c>Gateway:Classes:NAME</c>.</summary>
public sealed record ClassOptions
{
    /// <summary>Less is sooner, in the gateway's queue and where workers order theirs by it: -100 to 100.</summary>
    public int Priority { get; init; }

    /// <summary>Longest time to the first token; none by default.</summary>
    public TimeSpan? TtftTarget { get; init; }

    /// <summary>Longest time per output token; none by default.</summary>
    public TimeSpan? TpotTarget { get; init; }

    /// <summary>What happens to a request that is predicted to miss a target.</summary>
    public WhenLate WhenLate { get; init; } = WhenLate.Queue;

    /// <summary>Longest wait in the gateway's queue; then status 429.</summary>
    public TimeSpan QueueTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Most requests of the class in the gateway's queue; one more gets status 429 at once. 0: none waits.</summary>
    public int MaxQueued { get; init; } = 1024;
}
