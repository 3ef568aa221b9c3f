namespace LlmCluster.KvTransfer.Receiving;

/// <summary>Deadlines and limits of the receiving side.</summary>
public sealed class KvReceiverOptions
{
    /// <summary>From the stream's start to its first message.</summary>
    public TimeSpan OpenTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Longest wait for an older attempt's handler to end once it was cancelled.</summary>
    public TimeSpan SupersedeTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Longest wait for free blocks.</summary>
    public TimeSpan ReserveTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Longest silence of the sender between two messages.</summary>
    public TimeSpan FrameTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Longest wait of a client's request for its sequence.</summary>
    public TimeSpan ReceiveTimeout { get; set; } = TimeSpan.FromSeconds(120);

    /// <summary>Longest time that a sequence waits for the client's request before it is dropped.</summary>
    public TimeSpan ClaimTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a sequence that failed or was dropped is remembered, so that late attempts are refused.</summary>
    public TimeSpan MemoryTime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Most such sequences; beyond it the oldest are forgotten.</summary>
    public int MemoryLimit { get; set; } = 65_536;

    /// <summary>Throws when a value makes no sense.</summary>
    /// <param name="section">Configuration section, for the message.</param>
    /// <exception cref="ArgumentException">Names the key.</exception>
    public void Validate(string section)
    {
        RequirePositive(OpenTimeout, nameof(OpenTimeout));
        RequirePositive(SupersedeTimeout, nameof(SupersedeTimeout));
        RequirePositive(ReserveTimeout, nameof(ReserveTimeout));
        RequirePositive(FrameTimeout, nameof(FrameTimeout));
        RequirePositive(ReceiveTimeout, nameof(ReceiveTimeout));
        RequirePositive(ClaimTimeout, nameof(ClaimTimeout));
        RequirePositive(MemoryTime, nameof(MemoryTime));
        if (MemoryLimit < 1)
        {
            throw new ArgumentException($"{section}:{nameof(MemoryLimit)} is {MemoryLimit}; it must be at least 1.");
        }

        void RequirePositive(TimeSpan value, string key)
        {
            if (value <= TimeSpan.Zero)
            {
                throw new ArgumentException($"{section}:{key} is {value}; it must be a positive time, for example 00:00:30.");
            }
        }
    }
}
