using System.Buffers;
using System.IO.Pipelines;
using Grpc.Core;
using Grpc.Core.Wire;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>The requests of a call. Each is deserialized from the request's pipe, where it lies.</summary>
internal sealed class RequestStreamReader<TRequest>(HttpServerCallContext context, Func<DeserializationContext, TRequest> deserialize)
    : IAsyncStreamReader<TRequest>
    where TRequest : class
{
    private static readonly Task<bool> True = Task.FromResult(true);
    private static readonly Task<bool> False = Task.FromResult(false);

    private readonly PipeReader _pipe = context.HttpContext.Request.BodyReader;
    private readonly int? _maxMessageSize = context.Server.Options.MaxReceiveMessageSize;
    private readonly SequenceDeserializationContext _deserialization = new();
    private TRequest? _current;
    private int _reading;

    public TRequest Current => _current ?? throw new InvalidOperationException("No message: call MoveNext, and read Current when it gave true.");

    public Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _reading, 1) != 0)
        {
            throw new InvalidOperationException("Can't read the next message because the previous read is still in progress.");
        }

        _current = null;
        ValueTask<TRequest?> reading = ReadAsync(cancellationToken);
        if (!reading.IsCompletedSuccessfully)
        {
            return AwaitAsync(reading);
        }

        _current = reading.Result;
        Volatile.Write(ref _reading, 0);
        return _current is null ? False : True;
    }

    /// <summary>The next message, or null when the client has said its last.</summary>
    public ValueTask<TRequest?> ReadAsync(CancellationToken cancellationToken = default)
    {
        CancellationToken call = context.CancellationToken;
        if (!cancellationToken.CanBeCanceled || cancellationToken == call)
        {
            return ReadCoreAsync(call);
        }

        return ReadLinkedAsync(cancellationToken, call);
    }

    private async ValueTask<TRequest?> ReadLinkedAsync(CancellationToken first, CancellationToken second)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(first, second);
        return await ReadCoreAsync(linked.Token).ConfigureAwait(false);
    }

    private async Task<bool> AwaitAsync(ValueTask<TRequest?> reading)
    {
        try
        {
            _current = await reading.ConfigureAwait(false);
            return _current is not null;
        }
        finally
        {
            Volatile.Write(ref _reading, 0);
        }
    }

    private async ValueTask<TRequest?> ReadCoreAsync(CancellationToken cancellationToken)
    {
        int needed = MessageFraming.HeaderSize;
        while (true)
        {
            ReadResult result;
            try
            {
                result = await _pipe.ReadAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (IOException)
            {
                context.ClientHasGone = true;
                throw;
            }

            ReadOnlySequence<byte> buffer = result.Buffer;
            if (needed == MessageFraming.HeaderSize && buffer.Length >= MessageFraming.HeaderSize)
            {
                needed += ReadHeader(buffer);
            }

            if (buffer.Length >= needed)
            {
                return Deserialize(buffer, needed);
            }

            // Examining everything is what opens the HTTP/2 window for the rest of a message larger than it.
            _pipe.AdvanceTo(buffer.Start, buffer.End);
            if (result.IsCompleted)
            {
                return buffer.IsEmpty
                    ? null
                    : throw new RpcException(new Status(StatusCode.Internal, "The request ended inside a message."));
            }

            if (result.IsCanceled)
            {
                throw new OperationCanceledException("The read of the request was cancelled.");
            }
        }
    }

    private int ReadHeader(in ReadOnlySequence<byte> buffer)
    {
        try
        {
            return MessageFraming.ReadHeader(buffer, _maxMessageSize);
        }
        catch (RpcException)
        {
            _pipe.AdvanceTo(buffer.Start);
            throw;
        }
    }

    private TRequest Deserialize(ReadOnlySequence<byte> buffer, int frameLength)
    {
        SequencePosition end = buffer.GetPosition(frameLength);
        try
        {
            _deserialization.Set(buffer.Slice(buffer.GetPosition(MessageFraming.HeaderSize), end));
            return deserialize(_deserialization);
        }
        catch (Exception exception) when (exception is not RpcException)
        {
            throw new RpcException(new Status(
                StatusCode.Internal, $"Failed to deserialize the request: {exception.Message}", exception));
        }
        finally
        {
            _deserialization.Clear();
            _pipe.AdvanceTo(end);
        }
    }
}
