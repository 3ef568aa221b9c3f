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

    /// <summary>Multiply-adds that the threads reach on registers alone, in 10⁹ operations per second; median.</summary>
    [JsonPropertyName("fma_peak_gflop_s")]
    public double FmaPeak => Median([.. Peaks.Select(static peak => peak.MultiplyAdds)]);

    /// <summary>Operations of the products of prefill, in 10⁹ per second; median.</summary>
    [JsonPropertyName("gemm_gflop_s")]
    public double Gemm => Median([.. Peaks.Select(static peak => peak.Products)]);

    /// <summary>Products of prefill beside the peak; median of the runs' ratios.</summary>
    [JsonPropertyName("gemm_fraction")]
    public double GemmFraction => Median([.. Peaks.Select(static peak => peak.Products / peak.MultiplyAdds)], 3);

    /// <summary>How fast the threads read memory in order, in 10⁹ bytes per second; median.</summary>
    [JsonPropertyName("read_bandwidth_gb_s")]
    public double Bandwidth => Median([.. Peaks.Select(static peak => peak.Bandwidth)]);

    /// <summary>Weights that decode reads, once for all sequences of a step, in 10⁹ bytes per second; median.</summary>
    [JsonPropertyName("decode_gb_s")]
    public double DecodeBytes => Median([.. Peaks.Select(static peak => peak.DecodeBytes)]);

    /// <summary>Weights that decode reads beside the bandwidth; median of the runs' ratios.</summary>
    [JsonPropertyName("bandwidth_fraction")]
    public double BandwidthFraction => Median([.. Peaks.Select(static peak => peak.DecodeBytes / peak.Bandwidth)], 3);

    /// <summary>What the machine could do in each run.</summary>
    [JsonIgnore]
    public IReadOnlyList<MachinePeak> Peaks { get; init; } = [];

    private static double Median(IReadOnlyList<double> values, int digits = 1)
    {
        double[] sorted = [.. values.Order()];
        int middle = sorted.Length / 2;
        return Math.Round(sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2, digits);
    }
}
