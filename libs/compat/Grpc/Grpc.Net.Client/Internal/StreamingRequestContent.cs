using System.Net;
using System.Net.Http.Headers;
using Grpc.Core.Wire;

namespace Grpc.Net.Client.Internal;

/// <summary>
/// A request body that stays open: it hands the HTTP stream to the call's writer and ends when the writer says so.
/// </summary>
internal sealed class StreamingRequestContent : HttpContent
{
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Stream? _stream;
    private bool _taken;

    public StreamingRequestContent() => Headers.ContentType = new MediaTypeHeaderValue(GrpcHeaders.ContentType);

    /// <summary>The stream to write to, once the request's headers are on their way.</summary>
    public ValueTask<Stream> GetStreamAsync(CancellationToken cancellationToken)
    {
        return _opened.Task.IsCompletedSuccessfully ? new ValueTask<Stream>(Take()) : WaitAsync();

        async ValueTask<Stream> WaitAsync()
        {
            await _opened.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
            return Take();
        }
    }

    /// <summary>Ends the request stream.</summary>
    public void Complete() => _completed.TrySetResult();

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(
        Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            // A connection that shuts down refuses a stream before reading it, and the request goes to another one.
            // That is possible until the first message.
            if (_taken)
            {
                throw new InvalidOperationException("A request stream can't be sent again once messages have been written to it.");
            }

            _stream = stream;
        }

        // Sends the headers, as the server may have something to say before the first message.
        await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
        _opened.TrySetResult();
        await _completed.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    private Stream Take()
    {
        lock (_lock)
        {
            _taken = true;
            return _stream!;
        }
    }
}
