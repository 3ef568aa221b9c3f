using LlmCluster.Gateway.Placement;

namespace LlmCluster.Bench.Routing;

/// <summary>What <see cref="RoutingBenchmark"/> simulates.</summary>
public sealed record RoutingBenchmarkOptions
{
    /// <summary>File of the trace.</summary>
    public required string Trace { get; init; }

    /// <summary>Requests of the trace to take, from its start.</summary>
    public int Requests { get; init; } = 2000;

    /// <summary>Arrivals come this much faster than the trace says.</summary>
    public double RateScale { get; init; } = 1;

    /// <summary>Prefill workers.</summary>
    public int Prefill { get; init; } = 8;

    /// <summary>Decode workers.</summary>
    public int Decode { get; init; } = 8;

    /// <summary>Mixed workers.</summary>
    public int Mixed { get; init; }

    /// <summary>The policies to compare, by name.</summary>
    public IReadOnlyList<string> Policies { get; init; } = [.. PlacementPolicies.Names];

    /// <summary>KV pool of a worker in blocks of 512 tokens.</summary>
    public int PoolBlocks { get; init; } = 3000;

    /// <summary>KiB of K/V of a token.</summary>
    public int TokenKiB { get; init; } = 128;

    /// <summary>Prompt tokens that a worker computes in a second, attention left aside.</summary>
    public int PrefillRate { get; init; } = 8000;

    /// <summary>After so many tokens, attention takes as long again for a token as all the rest.</summary>
    public int AttentionTokens { get; init; } = 50_000;

    /// <summary>Megabytes that a worker sends in a second.</summary>
    public int TransferMBs { get; init; } = 10_000;

    /// <summary>Milliseconds of a decode step, what its sequences add left aside.</summary>
    public double StepMs { get; init; } = 20;

    /// <summary>Milliseconds that each sequence adds to a decode step.</summary>
    public double SequenceMs { get; init; } = 0.6;

    /// <summary>Longest step in which sequences decode while a prompt is computed, in milliseconds.</summary>
    public int MaxStepMs { get; init; } = 100;

    /// <summary>Milliseconds from one report of a worker's load to the next.</summary>
    public int ReportMs { get; init; } = 250;

    /// <summary>Milliseconds until gateways know that a block came or went.</summary>
    public int DirectoryMs { get; init; } = 50;

    /// <summary>Seconds to the first token, predicted or waited already, beyond which a request is rejected.</summary>
    public int QueueLimit { get; init; } = 600;

    /// <summary>Draws when workers report.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Checks the values.</summary>
    /// <exception cref="ArgumentException">One is out of range.</exception>
    public void Validate()
    {
        OptionCheck.Require(Trace.Length > 0, nameof(Trace), "empty", "the path of a trace");
        OptionCheck.Require(Requests >= 1, nameof(Requests), Requests, "at least 1");
        OptionCheck.Require(RateScale is > 0 and <= 1000, nameof(RateScale), RateScale, "above 0, to 1000");
        OptionCheck.Require(Prefill is >= 0 and <= 256, nameof(Prefill), Prefill, "0 to 256");
        OptionCheck.Require(Decode is >= 0 and <= 256, nameof(Decode), Decode, "0 to 256");
        OptionCheck.Require(Mixed is >= 0 and <= 256, nameof(Mixed), Mixed, "0 to 256");
        OptionCheck.Require(Prefill == 0 == (Decode == 0), nameof(Decode), Decode, Prefill == 0 ? "0, as there is no prefill worker" : "at least 1, as there are prefill workers");
        OptionCheck.Require(Prefill + Mixed > 0, nameof(Mixed), Mixed, "at least 1, as there is no prefill worker");
        OptionCheck.Require(Policies.Count > 0, nameof(Policies), "empty", "the name of a policy");
        foreach (string name in Policies)
        {
            OptionCheck.Require(PlacementPolicies.TryCreate(name, out _), nameof(Policies), name, $"some of {string.Join(", ", PlacementPolicies.Names)}");
        }

        OptionCheck.Require(PoolBlocks >= 1, nameof(PoolBlocks), PoolBlocks, "at least 1");
        OptionCheck.Require(TokenKiB is >= 1 and <= 100_000, nameof(TokenKiB), TokenKiB, "1 to 100000");
        OptionCheck.Require(PrefillRate >= 1, nameof(PrefillRate), PrefillRate, "at least 1");
        OptionCheck.Require(AttentionTokens >= 1, nameof(AttentionTokens), AttentionTokens, "at least 1");
        OptionCheck.Require(TransferMBs >= 1, nameof(TransferMBs), TransferMBs, "at least 1");
        OptionCheck.Require(StepMs is > 0 and <= 60_000, nameof(StepMs), StepMs, "above 0, to 60000");
        OptionCheck.Require(SequenceMs is >= 0 and <= 60_000, nameof(SequenceMs), SequenceMs, "0 to 60000");
        OptionCheck.Require(MaxStepMs >= 1, nameof(MaxStepMs), MaxStepMs, "at least 1");
        OptionCheck.Require(ReportMs is >= 1 and <= 60_000, nameof(ReportMs), ReportMs, "1 to 60000");
        OptionCheck.Require(DirectoryMs is >= 0 and <= 60_000, nameof(DirectoryMs), DirectoryMs, "0 to 60000");
        OptionCheck.Require(QueueLimit >= 1, nameof(QueueLimit), QueueLimit, "at least 1");
    }
}
