using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>The responses of a call.</summary>
internal sealed class ResponseStreamWriter<TResponse>(HttpServerCallContext context, Action<TResponse, SerializationContext> serialize)
    : IServerStreamWriter<TResponse>
    where TResponse : class
{
    private readonly PipeSerializationContext _serialization =
        new(context.HttpContext.Response.BodyWriter, context.Server.Options.MaxSendMessageSize);

    public WriteOptions? WriteOptions
    {
        get => context.WriteOptions;
        set => context.WriteOptions = value;
    }

    public Task WriteAsync(TResponse message) => WriteAsync(message, CancellationToken.None);

    public Task WriteAsync(TResponse message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        bool flush = ((WriteOptions?.Flags ?? default) & WriteFlags.BufferHint) == 0;
        return WriteAsync(message, flush, cancellationToken);
    }

    /// <summary>Writes the only response of a call, which leaves with the status.</summary>
    public Task WriteLastAsync(TResponse message) => WriteAsync(message, flush: false, CancellationToken.None);

    private async Task WriteAsync(TResponse message, bool flush, CancellationToken cancellationToken)
    {
        context.BeginWrite();
        try
        {
            context.CancellationToken.ThrowIfCancellationRequested();
            cancellationToken.ThrowIfCancellationRequested();
            if (!context.HttpContext.Response.HasStarted && !flush)
            {
                // Fixes the headers, so that status and trailers go behind the message.
                await context.HttpContext.Response.StartAsync(context.CancellationToken).ConfigureAwait(false);
            }

            _serialization.Serialize(message, serialize);
            if (flush)
            {
                await FlushAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch when (_serialization.IsBroken)
        {
            context.Abort(Http2Error.Internal);
            throw;
        }
        finally
        {
            context.EndWrite();
        }
    }

    /// <summary>Waits until the client's HTTP/2 window has room again: the back-pressure of a slow reader.</summary>
    private async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        CancellationToken call = context.CancellationToken;
        if (!cancellationToken.CanBeCanceled || cancellationToken == call)
        {
            await context.HttpContext.Response.BodyWriter.FlushAsync(call).ConfigureAwait(false);
        }
        else
        {
            using var linked = CancellationTokenSource.CreateLinkedTokenSource(call, cancellationToken);
            await context.HttpContext.Response.BodyWriter.FlushAsync(linked.Token).ConfigureAwait(false);
        }

        // A flush to a client that has gone ends quietly.
        call.ThrowIfCancellationRequested();
    }
}
