using LlmCluster.KvTransfer.Frames;
using LlmCluster.KvTransfer.Transports;
using LlmCluster.Protocol.V1;

namespace LlmCluster.Tests.Integration.KvTransfer;

/// <summary>Counts the payload bytes that a transport has taken.</summary>
internal sealed class CountingTransport(IKvTransport inner) : IKvTransport
{
    private long _written;

    public long Written => Interlocked.Read(ref _written);

    public async ValueTask<IKvSenderStream> OpenAsync(Uri receiver, CancellationToken cancellationToken) =>
        new Stream(this, await inner.OpenAsync(receiver, cancellationToken));

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private sealed class Stream(CountingTransport owner, IKvSenderStream stream) : IKvSenderStream
    {
        public async ValueTask WriteAsync(KvOutgoingFrame frame, CancellationToken cancellationToken)
        {
            await stream.WriteAsync(frame, cancellationToken);
            Interlocked.Add(ref owner._written, frame.Blocks?.PayloadLength ?? 0);
        }

        public ValueTask CompleteAsync() => stream.CompleteAsync();

        public ValueTask<KvReceiverMessage?> ReadAsync(CancellationToken cancellationToken) => stream.ReadAsync(cancellationToken);

        public ValueTask DisposeAsync() => stream.DisposeAsync();
    }
}
