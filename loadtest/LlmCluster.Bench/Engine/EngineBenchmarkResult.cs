using System.Text.Json.Serialization;

namespace LlmCluster.Bench.Engine;

/// <summary>What <see cref="EngineBenchmark"/> measured. Rates are tokens per second over all sequences.</summary>
public sealed record EngineBenchmarkResult
{
    /// <summary>Name of the benchmark.</summary>
    [JsonPropertyName("benchmark")]
    public string Benchmark { get; } = "engine";

    /// <summary>What was driven: the model runner with a block table, without scheduler and sampler.</summary>
    [JsonPropertyName("level")]
    public string Level { get; } = "runner";

    /// <summary>Preset, or directory of the checkpoint.</summary>
    [JsonPropertyName("preset")]
    public required string Preset { get; init; }

    /// <summary>Decoder family.</summary>
    [JsonPropertyName("architecture")]
    public required string Architecture { get; init; }

    /// <summary>Threads of the runner.</summary>
    [JsonPropertyName("threads")]
    public required int Threads { get; init; }

    /// <summary>Number format of the weights.</summary>
    [JsonPropertyName("dtype")]
    public required string Dtype { get; init; }

    /// <summary>Number format of the KV cache.</summary>
    [JsonPropertyName("kv_dtype")]
    public required string KvDtype { get; init; }

    /// <summary>Instruction set of the kernels.</summary>
    [JsonPropertyName("isa")]
    public required string Isa { get; init; }

    /// <summary>Tokens of each prompt.</summary>
    [JsonPropertyName("prompt")]
    public required int PromptTokens { get; init; }

    /// <summary>Decoded tokens of each sequence.</summary>
    [JsonPropertyName("new")]
    public required int NewTokens { get; init; }

    /// <summary>Sequences.</summary>
    [JsonPropertyName("parallel")]
    public required int Parallel { get; init; }

    /// <summary>Most prompt tokens of one forward pass.</summary>
    [JsonPropertyName("chunk")]
    public required int ChunkTokens { get; init; }

    /// <summary>Measured runs.</summary>
    [JsonPropertyName("runs")]
    public required int Runs { get; init; }

    /// <summary>Seconds to pack the weights.</summary>
    [JsonPropertyName("load_s")]
    public required double LoadSeconds { get; init; }

    /// <summary>Median of <see cref="PrefillRuns"/>.</summary>
    [JsonPropertyName("prefill_tok_s")]
    public double PrefillTokensPerSecond => Median(PrefillRuns);

    /// <summary>Median of <see cref="DecodeRuns"/>.</summary>
    [JsonPropertyName("decode_tok_s")]
    public double DecodeTokensPerSecond => Median(DecodeRuns);

    /// <summary>Prefill rate of each run.</summary>
    [JsonPropertyName("prefill_runs_tok_s")]
    public required IReadOnlyList<double> PrefillRuns { get; init; }

    /// <summary>Decode rate of each run.</summary>
    [JsonPropertyName("decode_runs_tok_s")]
    public required IReadOnlyList<double> DecodeRuns { get; init; }

    private static double Median(IReadOnlyList<double> values)
    {
        double[] sorted = [.. values.Order()];
        int middle = sorted.Length / 2;
        return Math.Round(sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2, 1);
    }
}
