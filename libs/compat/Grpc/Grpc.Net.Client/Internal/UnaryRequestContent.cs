using System.Net;
using System.Net.Http.Headers;
using Grpc.Core.Wire;

namespace Grpc.Net.Client.Internal;

/// <summary>A request body of one message. It can be sent again when a connection refuses the stream.</summary>
internal sealed class UnaryRequestContent : HttpContent
{
    private readonly PooledSerializationContext _serialization;
    private readonly ReadOnlyMemory<byte> _frame;
    private volatile bool _sent;

    public UnaryRequestContent(PooledSerializationContext serialization, ReadOnlyMemory<byte> frame)
    {
        _serialization = serialization;
        _frame = frame;
        Headers.ContentType = new MediaTypeHeaderValue(GrpcHeaders.ContentType);
    }

    /// <summary>Gives the message's buffer back once the response has ended, unless it is still being sent.</summary>
    public void Release()
    {
        if (_sent)
        {
            _serialization.Release();
        }
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(
        Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(_frame, cancellationToken).ConfigureAwait(false);
        _sent = true;
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
