namespace LlmCluster.Tests.Interop.Grpc;

/// <summary>What has become of the calls of a <see cref="ProbeService"/>.</summary>
internal sealed class ProbeCounts
{
    public int Cancelled;
    public long Sent;
    public long Received;

    public Counts Read() => new()
    {
        Cancelled = Volatile.Read(ref Cancelled),
        Sent = Volatile.Read(ref Sent),
        Received = Volatile.Read(ref Received),
    };
}
