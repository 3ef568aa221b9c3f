namespace LlmCluster.KvTransfer.Sending;

/// <summary>Deadlines and limits of the sending side.</summary>
public sealed class KvSenderOptions
{
    /// <summary>
    /// Largest payload of a frame in bytes; a single block of one layer may exceed it. By default a quarter of a
    /// mebibyte, which stays in a core's cache on its way from the pool to the network.
    /// </summary>
    public int MaxFrameBytes { get; set; } = 256 << 10;

    /// <summary>Longest wait for the prompt to be admitted by this worker's engine.</summary>
    public TimeSpan QueueTimeout { get; set; } = TimeSpan.FromSeconds(120);

    /// <summary>Longest wait for the receiver to accept, which includes its wait for free blocks.</summary>
    public TimeSpan AcceptTimeout { get; set; } = TimeSpan.FromSeconds(45);

    /// <summary>Longest wait for one frame to be taken by the network.</summary>
    public TimeSpan WriteTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Longest wait for the engine's next progress.</summary>
    public TimeSpan ComputeTimeout { get; set; } = TimeSpan.FromSeconds(120);

    /// <summary>Longest wait for the receiver's last word after the commit.</summary>
    public TimeSpan DoneTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Throws when a value makes no sense.</summary>
    /// <param name="section">Configuration section, for the message.</param>
    /// <exception cref="ArgumentException">Names the key.</exception>
    public void Validate(string section)
    {
        if (MaxFrameBytes is < 4096 or > 1 << 24)
        {
            throw new ArgumentException($"{section}:{nameof(MaxFrameBytes)} is {MaxFrameBytes}; it must lie between 4096 and {1 << 24}.");
        }

        RequirePositive(QueueTimeout, nameof(QueueTimeout));
        RequirePositive(AcceptTimeout, nameof(AcceptTimeout));
        RequirePositive(WriteTimeout, nameof(WriteTimeout));
        RequirePositive(ComputeTimeout, nameof(ComputeTimeout));
        RequirePositive(DoneTimeout, nameof(DoneTimeout));

        void RequirePositive(TimeSpan value, string key)
        {
            if (value <= TimeSpan.Zero)
            {
                throw new ArgumentException($"{section}:{key} is {value}; it must be a positive time, for example 00:00:30.");
            }
        }
    }
}
