using System.Net;

namespace LlmCluster.Bench.Kv;

/// <summary>A request body of frames, written from where they lie and flushed one by one as gRPC does, with nothing to compute for them.</summary>
internal sealed class FrameContent(IReadOnlyList<ReadOnlyMemory<byte>> frames) : HttpContent
{
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        foreach (ReadOnlyMemory<byte> frame in frames)
        {
            await stream.WriteAsync(frame, cancellationToken).ConfigureAwait(false);
            await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
