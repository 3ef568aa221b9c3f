using System.Text.Json.Serialization;
using LlmCluster.Bench.Statistics;

namespace LlmCluster.Bench.Kv;

/// <summary>What <see cref="KvBenchmark"/> measured, in 10⁹ bytes of K/V per second.</summary>
public sealed record KvBenchmarkResult
{
    /// <summary>Name of the benchmark.</summary>
    [JsonPropertyName("benchmark")]
    public string Benchmark { get; } = "kv";

    /// <summary>Shape of both pools.</summary>
    [JsonPropertyName("layout")]
    public required string Layout { get; init; }

    /// <summary>Tokens of each prompt.</summary>
    [JsonPropertyName("prompt")]
    public required int PromptTokens { get; init; }

    /// <summary>K/V bytes of each prompt.</summary>
    [JsonPropertyName("prompt_bytes")]
    public required long PromptBytes { get; init; }

    /// <summary>Prompts of each round.</summary>
    [JsonPropertyName("prompts")]
    public required int Prompts { get; init; }

    /// <summary>Prompts that were transferred at the same time.</summary>
    [JsonPropertyName("parallel")]
    public required int Parallel { get; init; }

    /// <summary>Largest payload of a frame, in bytes.</summary>
    [JsonPropertyName("frame_bytes")]
    public required int FrameBytes { get; init; }

    /// <summary>HTTP/2 window of both, in bytes.</summary>
    [JsonPropertyName("window_bytes")]
    public required int WindowBytes { get; init; }

    /// <summary>KV transfer over gRPC from pool to pool; median of <see cref="GrpcRounds"/>.</summary>
    [JsonPropertyName("grpc_gb_s")]
    public double Grpc => Percentile.Median(GrpcRounds, 4);

    /// <summary>Bare HTTP/2 POST through Kestrel and HttpClient; median of <see cref="Http2Rounds"/>.</summary>
    [JsonPropertyName("http2_gb_s")]
    public double Http2 => Percentile.Median(Http2Rounds, 4);

    /// <summary>gRPC as a share of bare HTTP/2; median over the rounds, each of which measures one right after the other.</summary>
    [JsonPropertyName("fraction")]
    public double Fraction => Percentile.Median([.. GrpcRounds.Zip(Http2Rounds, static (grpc, http2) => grpc / http2)], 4);

    /// <summary>Processor seconds of sender and receiver for 10⁹ bytes over gRPC; tells more than rates do on a busy machine.</summary>
    [JsonPropertyName("grpc_cpu_s_gb")]
    public required double GrpcCpu { get; init; }

    /// <summary>The same for bare HTTP/2.</summary>
    [JsonPropertyName("http2_cpu_s_gb")]
    public required double Http2Cpu { get; init; }

    /// <summary>Each round's gRPC rate.</summary>
    [JsonPropertyName("grpc_rounds_gb_s")]
    public required IReadOnlyList<double> GrpcRounds { get; init; }

    /// <summary>Each round's HTTP/2 rate.</summary>
    [JsonPropertyName("http2_rounds_gb_s")]
    public required IReadOnlyList<double> Http2Rounds { get; init; }
}
