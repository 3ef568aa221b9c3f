using Grpc.Core;
using Grpc.Core.Wire;

namespace Grpc.Net.Client.Internal;

/// <summary>The requests of a call as its caller writes them.</summary>
internal sealed class ClientStreamWriter<TRequest, TResponse>(GrpcCall<TRequest, TResponse> call, StreamingRequestContent content)
    : IClientStreamWriter<TRequest>
    where TRequest : class
    where TResponse : class
{
    private readonly Lock _lock = new();
    private readonly PooledSerializationContext _serialization = new();
    private bool _writing;
    private bool _completed;

    public WriteOptions? WriteOptions { get; set; } = call.Options.WriteOptions;

    public Task WriteAsync(TRequest message) => WriteAsync(message, CancellationToken.None);

    public Task WriteAsync(TRequest message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        lock (_lock)
        {
            if (_completed)
            {
                return Task.FromException(new InvalidOperationException("Request stream has already been completed."));
            }

            if (_writing)
            {
                return Task.FromException(
                    new InvalidOperationException("Can't write the message because the previous write is in progress."));
            }

            if (call.HasEnded)
            {
                return Task.FromException(call.ToException(call.GetStatus()));
            }

            _writing = true;
        }

        return WriteCoreAsync(message, cancellationToken);
    }

    public Task CompleteAsync()
    {
        lock (_lock)
        {
            if (_writing)
            {
                return Task.FromException(
                    new InvalidOperationException("Can't complete the request stream because a write is in progress."));
            }

            _completed = true;
        }

        content.Complete();
        return Task.CompletedTask;
    }

    private async Task WriteCoreAsync(TRequest message, CancellationToken cancellationToken)
    {
        CancellationTokenRegistration registration = default;
        try
        {
            if (cancellationToken.CanBeCanceled && cancellationToken != call.Options.CancellationToken)
            {
                registration = cancellationToken.UnsafeRegister(
                    static (state, token) => ((GrpcCall<TRequest, TResponse>)state!).Cancel(
                        "Call canceled by the client.", new OperationCanceledException(token)), call);
            }

            ReadOnlyMemory<byte> frame = _serialization.Serialize(
                message, call.Method.RequestMarshaller.ContextualSerializer, call.MaxSendMessageSize);
            await SendAsync(frame).ConfigureAwait(false);
            _serialization.Release();
        }
        finally
        {
            registration.Unregister();
            lock (_lock)
            {
                _writing = false;
            }
        }
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> frame)
    {
        try
        {
            Stream stream = await content.GetStreamAsync(call.Token).ConfigureAwait(false);
            await stream.WriteAsync(frame, call.Token).ConfigureAwait(false);
            if (((WriteOptions?.Flags ?? default) & WriteFlags.BufferHint) == 0)
            {
                await stream.FlushAsync(call.Token).ConfigureAwait(false);
            }
        }
        catch (Exception exception)
        {
            _serialization.Abandon();

            // Only the response says how the call ends, so a write that fails by itself leaves the call to its reader.
            throw call.ToException(call.HasEnded
                ? call.GetStatus()
                : ResponseStatus.FromException("Failed to write the request", exception));
        }
    }
}
