using LlmCluster.Inference.Telemetry;

namespace LlmCluster.KvTransfer;

/// <summary>How fast a worker's K/V goes to others and comes from them. Time in which the sender waits for blocks to be computed is no part of it.</summary>
public sealed class TransferRate
{
    // Below, most of the time is that of the messages' way.
    private const int SmallestBytes = 1 << 20;

    private readonly RecentRate _rate = new(SmallestBytes);

    /// <summary>Bytes in a second; 0 until there were any.</summary>
    public double BytesPerSecond => _rate.PerSecond;

    /// <summary>Time since that was measured last.</summary>
    public TimeSpan Age => _rate.Age;

    /// <summary>Takes note of a transfer.</summary>
    /// <param name="bytes">K/V bytes.</param>
    /// <param name="duration">How long they were on their way.</param>
    public void Add(long bytes, TimeSpan duration) => _rate.Add(bytes, duration);
}
