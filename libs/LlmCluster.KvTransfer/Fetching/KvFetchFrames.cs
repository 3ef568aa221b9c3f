using LlmCluster.KvTransfer.Frames;
using LlmCluster.Protocol.V1;

namespace LlmCluster.KvTransfer.Fetching;

/// <summary>One <c>KvFetchMessage</c> about to be sent: exactly one of the two is set.</summary>
public sealed class KvFetchOutgoing
{
    /// <summary>How many blocks follow.</summary>
    public KvFetchFound? Found { get; init; }

    /// <summary>Blocks, still in the pool.</summary>
    public KvOutgoingBlocks? Blocks { get; init; }
}

/// <summary>One received <c>KvFetchMessage</c>; empty when the peer speaks a newer protocol. Blocks have gone to an <see cref="IKvBlockSink"/> while it was read.</summary>
public sealed class KvFetchIncoming
{
    /// <summary>How many blocks follow.</summary>
    public KvFetchFound? Found { get; init; }

    /// <summary>Whether it held blocks.</summary>
    public bool HasBlocks { get; init; }
}

/// <summary>Reaches the workers that blocks are fetched from.</summary>
public interface IKvFetchTransport
{
    /// <summary>Asks a worker for blocks.</summary>
    /// <param name="peer">The worker's gRPC endpoint.</param>
    /// <param name="request">The blocks.</param>
    /// <param name="cancellationToken">Ends the whole stream.</param>
    IKvFetchStream Fetch(Uri peer, KvFetchRequest request, CancellationToken cancellationToken);
}

/// <summary>A worker's answer. Disposing it before its end ends it at the worker, too. One caller at a time.</summary>
public interface IKvFetchStream : IAsyncDisposable
{
    /// <summary>The next message; null after the last.</summary>
    /// <param name="blocks">Takes the message's blocks, before the read completes and never afterwards.</param>
    /// <param name="cancellationToken">Ends the stream.</param>
    /// <exception cref="KvTransferException">The worker refused, or was lost.</exception>
    ValueTask<KvFetchIncoming?> ReadAsync(IKvBlockSink blocks, CancellationToken cancellationToken);
}
