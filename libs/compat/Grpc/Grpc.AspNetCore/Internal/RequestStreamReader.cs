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

    // Held by the read in progress, and for good once the call has ended.
    private readonly SemaphoreSlim _gate = new(1, 1);
    private TRequest? _current;
    private volatile bool _stopped;

    public TRequest Current => _current ?? throw new InvalidOperationException("No message: call MoveNext, and read Current when it gave true.");

    public Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        if (!_gate.Wait(0, CancellationToken.None))
        {
            throw new InvalidOperationException(_stopped
                ? "Can't read messages after the request is complete."
                : "Can't read the next message because the previous read is still in progress.");
        }

        _current = null;
        ValueTask<TRequest?> reading = ReadAsync(cancellationToken);
        if (!reading.IsCompletedSuccessfully)
        {
            return AwaitAsync(reading);
        }

        _current = reading.Result;
        _gate.Release();
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

    /// <summary>Ends reading with the call: the pipe then serves another request, which a left-over read must not see.</summary>
    public async ValueTask StopAsync()
    {
        _stopped = true;
        if (!_gate.Wait(0, CancellationToken.None))
        {
            _pipe.CancelPendingRead();
            await _gate.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        }
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
            _gate.Release();
        }
    }

    private async ValueTask<TRequest?> ReadCoreAsync(CancellationToken cancellationToken)
    {
        int needed = MessageFraming.HeaderSize;
        bool compressed = false;
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
                (int length, compressed) = ReadHeader(buffer);
                needed += length;
            }

            if (buffer.Length >= needed)
            {
                return Deserialize(buffer, needed, compressed);
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

    private (int Length, bool Compressed) ReadHeader(in ReadOnlySequence<byte> buffer)
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

    private TRequest Deserialize(ReadOnlySequence<byte> buffer, int frameLength, bool compressed)
    {
        SequencePosition end = buffer.GetPosition(frameLength);
        PooledBuffer? unpacked = null;
        try
        {
            ReadOnlySequence<byte> payload = buffer.Slice(buffer.GetPosition(MessageFraming.HeaderSize), end);
            if (compressed)
            {
                unpacked = new PooledBuffer();
                payload = Unpack(payload, unpacked);
            }

            _deserialization.Set(payload);
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
            unpacked?.Release();
            _pipe.AdvanceTo(end);
        }
    }

    private ReadOnlySequence<byte> Unpack(in ReadOnlySequence<byte> payload, PooledBuffer unpacked)
    {
        string? encoding = context.HttpContext.Request.Headers[GrpcHeaders.Encoding];
        if (!string.Equals(encoding, GrpcHeaders.GzipEncoding, StringComparison.OrdinalIgnoreCase))
        {
            throw MessageFraming.UnexpectedlyCompressed();
        }

        GzipMessage.Unpack(payload, unpacked, _maxMessageSize);
        return new ReadOnlySequence<byte>(unpacked.Written);
    }
}
