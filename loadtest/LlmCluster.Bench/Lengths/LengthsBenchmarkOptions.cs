namespace LlmCluster.Bench.Lengths;

/// <summary>What <see cref="LengthsBenchmark"/> replays.</summary>
public sealed record LengthsBenchmarkOptions
{
    /// <summary>File of the trace.</summary>
    public required string Trace { get; init; }

    /// <summary>Milliseconds from a request's arrival to its first token.</summary>
    public int TimeToFirstToken { get; init; } = 1000;

    /// <summary>Milliseconds from token to token.</summary>
    public int TimePerToken { get; init; } = 30;

    /// <summary>Outputs are predicted again after so many tokens.</summary>
    public int After { get; init; } = 128;

    /// <summary>Checks the values.</summary>
    /// <exception cref="ArgumentException">One is out of range.</exception>
    public void Validate()
    {
        OptionCheck.Require(Trace.Length > 0, nameof(Trace), "empty", "the path of a trace");
        OptionCheck.Require(TimeToFirstToken is >= 0 and <= 3_600_000, nameof(TimeToFirstToken), TimeToFirstToken, "0 to 3600000 milliseconds");
        OptionCheck.Require(TimePerToken is >= 0 and <= 60_000, nameof(TimePerToken), TimePerToken, "0 to 60000 milliseconds");
        OptionCheck.Require(After >= 1, nameof(After), After, "at least 1");
    }
}
