using System.Net;

namespace LlmCluster.Bench.Kv;

/// <summary>A request body of frames, written and flushed one by one as gRPC does, but with nothing to compute for them.</summary>
internal sealed class FrameContent(IReadOnlyList<int> frames, ReadOnlyMemory<byte> buffer) : HttpContent
{
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        foreach (int length in frames)
        {
            await stream.WriteAsync(buffer[..length], cancellationToken).ConfigureAwait(false);
            await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
