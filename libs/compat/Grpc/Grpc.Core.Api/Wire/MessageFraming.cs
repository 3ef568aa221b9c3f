using System.Buffers;
using System.Buffers.Binary;

namespace Grpc.Core.Wire;

/// <summary>The prefix of every message: a compressed flag and the length as 4 bytes, big-endian.</summary>
internal static class MessageFraming
{
    public const int HeaderSize = 5;
    public const int DefaultMaxReceiveMessageSize = 4 * 1024 * 1024;

    public static void WriteHeader(Span<byte> destination, int length)
    {
        destination[0] = 0;
        BinaryPrimitives.WriteUInt32BigEndian(destination[1..], (uint)length);
    }

    /// <summary>The length of the message behind a header.</summary>
    /// <exception cref="RpcException">The message is compressed, or larger than the limit.</exception>
    public static int ReadHeader(ReadOnlySpan<byte> header, int? maxMessageSize)
    {
        if (header[0] != 0)
        {
            throw new RpcException(header[0] == 1
                ? new Status(StatusCode.Internal, "A message has the compressed flag set, but no compression was agreed.")
                : new Status(StatusCode.Internal, $"A message starts with {header[0]}, where the compressed flag (0 or 1) is expected."));
        }

        uint length = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        if (length > (maxMessageSize ?? Array.MaxLength - HeaderSize))
        {
            throw new RpcException(new Status(
                StatusCode.ResourceExhausted,
                $"Received message exceeds the maximum configured message size: {length} bytes, limit {maxMessageSize ?? Array.MaxLength - HeaderSize}."));
        }

        return (int)length;
    }

    public static int ReadHeader(in ReadOnlySequence<byte> buffer, int? maxMessageSize)
    {
        if (buffer.FirstSpan.Length >= HeaderSize)
        {
            return ReadHeader(buffer.FirstSpan[..HeaderSize], maxMessageSize);
        }

        Span<byte> header = stackalloc byte[HeaderSize];
        buffer.Slice(0, HeaderSize).CopyTo(header);
        return ReadHeader(header, maxMessageSize);
    }

    /// <exception cref="RpcException">The message is larger than the limit.</exception>
    public static void CheckSendSize(long length, int? maxMessageSize)
    {
        if (length > maxMessageSize)
        {
            throw new RpcException(new Status(
                StatusCode.ResourceExhausted,
                $"Sending message exceeds the maximum configured message size: {length} bytes, limit {maxMessageSize}."));
        }
    }
}
