namespace LlmCluster.Cluster.Redis;

/// <summary>How to reach Redis, and how long to wait for it.</summary>
public sealed record RedisOptions
{
    /// <summary>
    /// <c>redis://[:password@]host[:port][/database]</c>, <c>rediss://...</c> for TLS, or just <c>host[:port]</c>.
    /// The port is 6379 and the database 0 by default. A password is percent-encoded.
    /// </summary>
    public required string Url { get; init; }

    /// <summary>The password, instead of one in the URL.</summary>
    public string? Password { get; init; }

    /// <summary>A file of PEM certificates that the server's TLS certificate must lead to; the system's by default.</summary>
    public string? CertificateAuthorityFile { get; init; }

    /// <summary>Begins every key and channel, so that several clusters can share one Redis.</summary>
    public string KeyPrefix { get; init; } = "llmcluster";

    /// <summary>Longest wait for the first connection.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Longest wait for one operation.</summary>
    public TimeSpan OperationTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>A watch yields at least this often, so that a lost message or the end of a lease is noticed.</summary>
    public TimeSpan WatchInterval { get; init; } = TimeSpan.FromSeconds(1);
}
