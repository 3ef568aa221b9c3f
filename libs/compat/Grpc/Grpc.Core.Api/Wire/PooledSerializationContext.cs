using System.Buffers;

namespace Grpc.Core.Wire;

/// <summary>
/// Serializes one message, with its header before it, into one array of the shared pool. The result is valid until
/// <see cref="Release"/> or the next message.
/// </summary>
internal sealed class PooledSerializationContext : SerializationContext
{
    private readonly PooledBuffer _buffer = new();
    private int? _announced;
    private int? _maxMessageSize;
    private bool _complete;

    /// <returns>Header and message.</returns>
    public ReadOnlyMemory<byte> Serialize<T>(T message, Action<T, SerializationContext> serializer, int? maxMessageSize)
    {
        _announced = null;
        _maxMessageSize = maxMessageSize;
        _complete = false;
        _buffer.Reset(MessageFraming.HeaderSize);
        serializer(message, this);
        if (!_complete)
        {
            throw new InvalidOperationException("The serializer returned without completing the message.");
        }

        int length = _buffer.Length - MessageFraming.HeaderSize;
        if (_announced is { } announced && announced != length)
        {
            throw new InvalidOperationException($"The serializer announced {announced} bytes and wrote {length}.");
        }

        MessageFraming.CheckSendSize(length, maxMessageSize);
        MessageFraming.WriteHeader(_buffer.Prefix(MessageFraming.HeaderSize), length);
        return _buffer.Written;
    }

    public override void Complete(byte[] payload)
    {
        ArgumentNullException.ThrowIfNull(payload);
        ThrowIfComplete();
        MessageFraming.CheckSendSize(payload.Length, _maxMessageSize);
        _buffer.Write(payload);
        _complete = true;
    }

    public override IBufferWriter<byte> GetBufferWriter()
    {
        ThrowIfComplete();
        return _buffer;
    }

    public override void SetPayloadLength(int payloadLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(payloadLength);
        ThrowIfComplete();
        MessageFraming.CheckSendSize(payloadLength, _maxMessageSize);
        _announced = payloadLength;
        _buffer.EnsureSpace(payloadLength);
    }

    public override void Complete()
    {
        ThrowIfComplete();
        _complete = true;
    }

    /// <summary>Gives the array back, as it may be large; the context can be used again.</summary>
    public void Release() => _buffer.Release();

    /// <inheritdoc cref="PooledBuffer.Abandon"/>
    public void Abandon() => _buffer.Abandon();

    private void ThrowIfComplete()
    {
        if (_complete)
        {
            throw new InvalidOperationException("The message is complete.");
        }
    }
}
