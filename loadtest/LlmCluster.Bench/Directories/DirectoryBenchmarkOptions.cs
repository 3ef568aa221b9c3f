using LlmCluster.Cluster.Directory;

namespace LlmCluster.Bench.Directories;

/// <summary>What <see cref="DirectoryBenchmark"/> measures.</summary>
public sealed record DirectoryBenchmarkOptions
{
    /// <summary>The Redis to use, by a key prefix of its own; null to start one.</summary>
    public string? RedisUrl { get; init; }

    /// <summary>Blocks in the directory; some are held by several workers.</summary>
    public int Blocks { get; init; } = 1_000_000;

    /// <summary>Workers that hold them.</summary>
    public int Workers { get; init; } = 64;

    /// <summary>Changes in a publication.</summary>
    public int Batch { get; init; } = 256;

    /// <summary>Lookups of each length one at a time, after a tenth as many to warm up.</summary>
    public int Lookups { get; init; } = 2000;

    /// <summary>Lookups, and publications, under way at once where their number per second is measured.</summary>
    public int Parallel { get; init; } = 32;

    /// <summary>Checks the values.</summary>
    /// <exception cref="ArgumentException">One is out of range.</exception>
    public void Validate()
    {
        OptionCheck.Require(RedisUrl is null || !string.IsNullOrWhiteSpace(RedisUrl), nameof(RedisUrl), "empty", "a URL");
        OptionCheck.Require(Blocks is >= 10_000 and <= 20_000_000, nameof(Blocks), Blocks, "10000 to 20000000");
        OptionCheck.Require(Workers is >= 1 and <= 1000, nameof(Workers), Workers, "1 to 1000");
        OptionCheck.Require(Batch is >= 1 and <= IPrefixDirectory.MaxBatch, nameof(Batch), Batch, $"1 to {IPrefixDirectory.MaxBatch}");
        OptionCheck.Require(Lookups is >= 10 and <= 1_000_000, nameof(Lookups), Lookups, "10 to 1000000");
        OptionCheck.Require(Parallel is >= 1 and <= 1000, nameof(Parallel), Parallel, "1 to 1000");
    }
}
