using System.Buffers;
using System.IO.Compression;

namespace Grpc.Core.Wire;

/// <summary>Messages that a sender has compressed. They are rare here, so they take the way through a buffer.</summary>
internal static class GzipMessage
{
    private const int ChunkSize = 16 * 1024;

    /// <summary>Unpacks a message into a buffer.</summary>
    /// <exception cref="RpcException">It isn't gzip, or is larger than the limit when unpacked.</exception>
    public static void Unpack(in ReadOnlySequence<byte> packed, PooledBuffer message, int? maxMessageSize)
    {
        message.Reset(0);
        try
        {
            using var gzip = new GZipStream(new MemoryStream(packed.ToArray()), CompressionMode.Decompress);
            while (gzip.Read(message.GetSpan(ChunkSize)) is > 0 and int read)
            {
                message.Advance(read);
                if (message.Length > maxMessageSize)
                {
                    throw MessageFraming.TooLarge($"more than {maxMessageSize} bytes when unpacked", maxMessageSize.Value);
                }
            }
        }
        catch (InvalidDataException exception)
        {
            throw new RpcException(new Status(StatusCode.Internal, $"A compressed message isn't gzip: {exception.Message}", exception));
        }
    }
}
