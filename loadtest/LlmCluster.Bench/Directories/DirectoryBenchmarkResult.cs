using System.Text.Json.Serialization;

namespace LlmCluster.Bench.Directories;

/// <summary>What <see cref="DirectoryBenchmark"/> measured.</summary>
public sealed record DirectoryBenchmarkResult
{
    /// <summary>Name of the benchmark.</summary>
    [JsonPropertyName("benchmark")]
    public string Benchmark { get; } = "directory";

    /// <summary>Different blocks in the directory.</summary>
    [JsonPropertyName("blocks")]
    public required int Blocks { get; init; }

    /// <summary>Pairs of a block and a worker that holds it.</summary>
    [JsonPropertyName("entries")]
    public required long Entries { get; init; }

    /// <summary>Workers.</summary>
    [JsonPropertyName("workers")]
    public required int Workers { get; init; }

    /// <summary>Changes in a publication.</summary>
    [JsonPropertyName("batch")]
    public required int Batch { get; init; }

    /// <summary>Lookups or publications under way at once where their number per second was measured.</summary>
    [JsonPropertyName("parallel")]
    public required int Parallel { get; init; }

    /// <summary>Publications, of up to <see cref="Batch"/> changes each.</summary>
    [JsonPropertyName("publishes_per_second")]
    public required double PublishesPerSecond { get; init; }

    /// <summary>Changes in those.</summary>
    [JsonPropertyName("changes_per_second")]
    public required double ChangesPerSecond { get; init; }

    /// <summary>Lookups of 256 blocks.</summary>
    [JsonPropertyName("lookups_per_second")]
    public required double LookupsPerSecond { get; init; }

    /// <summary>Milliseconds of a lookup of 16 blocks, one at a time: median.</summary>
    [JsonPropertyName("lookup_16_p50_ms")]
    public required double Lookup16P50 { get; init; }

    /// <summary>The same: 99th percentile.</summary>
    [JsonPropertyName("lookup_16_p99_ms")]
    public required double Lookup16P99 { get; init; }

    /// <summary>Of 256 blocks.</summary>
    [JsonPropertyName("lookup_256_p50_ms")]
    public required double Lookup256P50 { get; init; }

    /// <summary>Of 256 blocks.</summary>
    [JsonPropertyName("lookup_256_p99_ms")]
    public required double Lookup256P99 { get; init; }

    /// <summary>Of 4,096 blocks.</summary>
    [JsonPropertyName("lookup_4096_p50_ms")]
    public required double Lookup4096P50 { get; init; }

    /// <summary>Of 4,096 blocks.</summary>
    [JsonPropertyName("lookup_4096_p99_ms")]
    public required double Lookup4096P99 { get; init; }

    /// <summary>Bytes by which Redis' memory grew, for each of <see cref="Blocks"/>.</summary>
    [JsonPropertyName("bytes_per_block")]
    public required double BytesPerBlock { get; init; }

    /// <summary>The same for each of <see cref="Entries"/>.</summary>
    [JsonPropertyName("bytes_per_entry")]
    public required double BytesPerEntry { get; init; }
}
