namespace LlmCluster.Tests.Interop.Grpc;

/// <summary>What has become of the calls of a <see cref="ProbeService"/>.</summary>
internal sealed class ProbeCounts
{
    public int Hung;
    public int Cancelled;
    public long Sent;

    public Counts Read() => new()
    {
        Hung = Volatile.Read(ref Hung),
        Cancelled = Volatile.Read(ref Cancelled),
        Sent = Volatile.Read(ref Sent),
    };
}
