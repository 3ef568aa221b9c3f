using System.Text.Json.Serialization;
using LlmCluster.Bench.Statistics;

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
    public double PrefillTokensPerSecond => Percentile.Median(PrefillRuns, 1);

    /// <summary>Median of <see cref="DecodeRuns"/>.</summary>
    [JsonPropertyName("decode_tok_s")]
    public double DecodeTokensPerSecond => Percentile.Median(DecodeRuns, 1);

    /// <summary>Prefill rate of each run.</summary>
    [JsonPropertyName("prefill_runs_tok_s")]
    public required IReadOnlyList<double> PrefillRuns { get; init; }

    /// <summary>Decode rate of each run.</summary>
    [JsonPropertyName("decode_runs_tok_s")]
    public required IReadOnlyList<double> DecodeRuns { get; init; }

    /// <summary>Multiply-adds that the threads reach on registers alone, in 10⁹ operations per second; median.</summary>
    [JsonPropertyName("fma_peak_gflop_s")]
    public double FmaPeak => Percentile.Median([.. Peaks.Select(static peak => peak.Usual.MultiplyAdds)], 1);

    /// <summary>Operations of the products of prefill, in 10⁹ per second; median.</summary>
    [JsonPropertyName("gemm_gflop_s")]
    public double Gemm => Percentile.Median([.. Peaks.Select(static peak => peak.Usual.Products)], 1);

    /// <summary>Products of prefill beside the peak, both being the median of a run's measurements; median of the runs' ratios.</summary>
    [JsonPropertyName("gemm_fraction")]
    public double GemmFraction => Percentile.Median([.. Peaks.Select(static peak => peak.Usual.Fraction)], 3);

    /// <summary>
    /// The same, both being what the fastest tenth of a run's measurements reach: how much of <see cref="GemmFraction"/> is owed to the kernels, and how much to others on the
    /// same cores.
    /// </summary>
    [JsonPropertyName("gemm_fraction_undisturbed")]
    public double GemmFractionUndisturbed => Percentile.Median([.. Peaks.Select(static peak => peak.Undisturbed.Fraction)], 3);

    /// <summary>How fast the threads read memory in order, in 10⁹ bytes per second; median.</summary>
    [JsonPropertyName("read_bandwidth_gb_s")]
    public double Bandwidth => Percentile.Median([.. Peaks.Select(static peak => peak.Bandwidth)], 1);

    /// <summary>Weights that decode reads, once for all sequences of a step, in 10⁹ bytes per second; median.</summary>
    [JsonPropertyName("decode_gb_s")]
    public double DecodeBytes => Percentile.Median([.. Peaks.Select(static peak => peak.DecodeBytes)], 1);

    /// <summary>Weights that decode reads beside the bandwidth; median of the runs' ratios.</summary>
    [JsonPropertyName("bandwidth_fraction")]
    public double BandwidthFraction => Percentile.Median([.. Peaks.Select(static peak => peak.DecodeBytes / peak.Bandwidth)], 3);

    /// <summary>What the machine could do in each run.</summary>
    [JsonIgnore]
    public IReadOnlyList<MachinePeak> Peaks { get; init; } = [];
}
