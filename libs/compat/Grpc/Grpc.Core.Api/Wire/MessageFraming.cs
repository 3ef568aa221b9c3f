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

    /// <summary>The length of the message behind a header, and whether the message is compressed.</summary>
    /// <exception cref="RpcException">The header makes no sense, or the message is larger than the limit.</exception>
    public static (int Length, bool Compressed) ReadHeader(ReadOnlySpan<byte> header, int? maxMessageSize)
    {
        if (header[0] > 1)
        {
            throw new RpcException(new Status(
                StatusCode.Internal, $"A message starts with {header[0]}, where the compressed flag (0 or 1) is expected."));
        }

        uint length = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        int limit = maxMessageSize ?? Array.MaxLength - HeaderSize;
        return length <= limit ? ((int)length, header[0] == 1) : throw TooLarge($"{length} bytes", limit);
    }

    public static (int Length, bool Compressed) ReadHeader(in ReadOnlySequence<byte> buffer, int? maxMessageSize)
    {
        if (buffer.FirstSpan.Length >= HeaderSize)
        {
            return ReadHeader(buffer.FirstSpan[..HeaderSize], maxMessageSize);
        }

        Span<byte> header = stackalloc byte[HeaderSize];
        buffer.Slice(0, HeaderSize).CopyTo(header);
        return ReadHeader(header, maxMessageSize);
    }

    public static RpcException TooLarge(string size, int limit) => new(new Status(
        StatusCode.ResourceExhausted, $"Received message exceeds the maximum configured message size: {size}, limit {limit}."));

    /// <summary>For a message with the compressed flag where no encoding was agreed.</summary>
    public static RpcException UnexpectedlyCompressed() => new(new Status(
        StatusCode.Internal, "A message has the compressed flag set, but the sender named no encoding."));

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
