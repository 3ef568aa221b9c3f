namespace LlmCluster.KvTransfer.Fetching;

/// <summary>Deadlines and limits of fetching KV blocks from other workers, and of serving them.</summary>
public sealed class KvFetchOptions
{
    /// <summary>Longest time to fetch a prompt's blocks; what has not come by then is computed.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Most fetches that are served at a time; others are refused, and compute.</summary>
    public int MaxServed { get; set; } = 8;

    /// <summary>Longest time to serve one fetch.</summary>
    public TimeSpan ServeTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Largest payload of a message in bytes; a single block of one layer may exceed it.</summary>
    public int MaxFrameBytes { get; set; } = 256 << 10;

    /// <summary>Throws when a value makes no sense.</summary>
    /// <param name="section">Configuration section, for the message.</param>
    /// <exception cref="ArgumentException">Names the key.</exception>
    public void Validate(string section)
    {
        if (MaxFrameBytes is < 4096 or > 1 << 24)
        {
            throw new ArgumentException($"{section}:{nameof(MaxFrameBytes)} is {MaxFrameBytes}; it must lie between 4096 and {1 << 24}.");
        }

        if (MaxServed is < 1 or > 1024)
        {
            throw new ArgumentException($"{section}:{nameof(MaxServed)} is {MaxServed}; it must lie between 1 and 1024.");
        }

        RequireTime(Timeout, nameof(Timeout));
        RequireTime(ServeTimeout, nameof(ServeTimeout));

        void RequireTime(TimeSpan value, string key)
        {
            if (value <= TimeSpan.Zero || value > TimeSpan.FromHours(1))
            {
                throw new ArgumentException($"{section}:{key} is {value}; it must be a positive time of at most an hour, for example 00:00:02.");
            }
        }
    }
}
