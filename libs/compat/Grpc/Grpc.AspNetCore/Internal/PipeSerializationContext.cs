using System.Buffers;
using System.IO.Pipelines;
using Grpc.Core;
using Grpc.Core.Wire;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>
/// Serializes messages into the response's pipe: straight into it when the length is announced, otherwise through a
/// pooled buffer, as the length comes first.
/// </summary>
internal sealed class PipeSerializationContext(PipeWriter pipe, int? maxMessageSize) : SerializationContext, IBufferWriter<byte>
{
    private readonly PooledBuffer _pooled = new();
    private int? _announced;
    private long _written;
    private bool _direct;
    private bool _complete;

    /// <summary>Whether a message that failed has left bytes in the pipe, so that nothing may follow it.</summary>
    public bool IsBroken { get; private set; }

    public void Serialize<T>(T message, Action<T, SerializationContext> serializer)
    {
        (_announced, _written, _direct, _complete) = (null, 0, false, false);
        _pooled.Reset(0);
        try
        {
            serializer(message, this);
            if (!_complete)
            {
                throw new InvalidOperationException("The serializer returned without completing the message.");
            }
        }
        catch
        {
            IsBroken |= _direct;
            throw;
        }
        finally
        {
            _pooled.Release();
        }
    }

    public override void Complete(byte[] payload)
    {
        ArgumentNullException.ThrowIfNull(payload);
        ThrowIfComplete();
        MessageFraming.CheckSendSize(payload.Length, maxMessageSize);
        WriteHeader(payload.Length);
        pipe.Write(payload);
        _complete = true;
    }

    public override void SetPayloadLength(int payloadLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(payloadLength);
        ThrowIfComplete();
        MessageFraming.CheckSendSize(payloadLength, maxMessageSize);
        _announced = payloadLength;
    }

    public override IBufferWriter<byte> GetBufferWriter()
    {
        ThrowIfComplete();
        if (_announced is { } length && !_direct)
        {
            WriteHeader(length);
            _direct = true;
        }

        return this;
    }

    public override void Complete()
    {
        ThrowIfComplete();
        if (_direct)
        {
            if (_written != _announced)
            {
                throw new InvalidOperationException($"The serializer announced {_announced} bytes and wrote {_written}.");
            }
        }
        else
        {
            MessageFraming.CheckSendSize(_written, maxMessageSize);
            WriteHeader((int)_written);
            pipe.Write(_pooled.Written.Span);
        }

        _complete = true;
    }

    void IBufferWriter<byte>.Advance(int count)
    {
        if (_direct)
        {
            if (_written + count > _announced)
            {
                throw new InvalidOperationException($"The serializer announced {_announced} bytes and writes more.");
            }

            pipe.Advance(count);
        }
        else
        {
            _pooled.Advance(count);
        }

        _written += count;
    }

    Memory<byte> IBufferWriter<byte>.GetMemory(int sizeHint) =>
        _direct ? pipe.GetMemory(sizeHint) : _pooled.GetMemory(sizeHint);

    Span<byte> IBufferWriter<byte>.GetSpan(int sizeHint) =>
        _direct ? pipe.GetSpan(sizeHint) : _pooled.GetSpan(sizeHint);

    private void WriteHeader(int length)
    {
        MessageFraming.WriteHeader(pipe.GetSpan(MessageFraming.HeaderSize), length);
        pipe.Advance(MessageFraming.HeaderSize);
    }

    private void ThrowIfComplete()
    {
        if (_complete)
        {
            throw new InvalidOperationException("The message is complete.");
        }
    }
}
