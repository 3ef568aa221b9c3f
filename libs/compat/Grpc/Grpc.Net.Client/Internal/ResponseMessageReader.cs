using System.Buffers;
using Grpc.Core;
using Grpc.Core.Wire;

namespace Grpc.Net.Client.Internal;

/// <summary>
/// Cuts a response body into messages. Each lies in one piece in a pooled array that is kept for the next ones, and is
/// valid until the next read.
/// </summary>
internal sealed class ResponseMessageReader(Stream stream, int? maxMessageSize)
{
    private const int InitialSize = 4 * 1024;

    // How far past the message in hand to read: small messages arrive several at a time, and what is moved to the
    // front of the buffer when a large one follows stays small.
    private const int ReadAhead = 4 * 1024;

    private byte[]? _buffer = ArrayPool<byte>.Shared.Rent(InitialSize);
    private int _start;
    private int _end;

    /// <summary>The message that the last read found.</summary>
    public ReadOnlySequence<byte> Payload { get; private set; }

    /// <summary>Reads the next message; false at the end of the body.</summary>
    /// <exception cref="RpcException">The body ends inside a message, or a message is too large or compressed.</exception>
    public async ValueTask<bool> ReadAsync(CancellationToken cancellationToken)
    {
        Payload = default;
        if (!await FillAsync(MessageFraming.HeaderSize, cancellationToken).ConfigureAwait(false))
        {
            if (_end > _start)
            {
                throw Incomplete();
            }

            return false;
        }

        (int length, bool compressed) = MessageFraming.ReadHeader(
            _buffer.AsSpan(_start, MessageFraming.HeaderSize), maxMessageSize);
        if (compressed)
        {
            throw MessageFraming.UnexpectedlyCompressed();
        }

        if (!await FillAsync(MessageFraming.HeaderSize + length, cancellationToken).ConfigureAwait(false))
        {
            throw Incomplete();
        }

        Payload = new ReadOnlySequence<byte>(_buffer!, _start + MessageFraming.HeaderSize, length);
        _start += MessageFraming.HeaderSize + length;
        return true;
    }

    /// <summary>Gives the buffer back. No read may be under way, and the last payload isn't valid any more.</summary>
    public void Release()
    {
        Payload = default;
        if (Interlocked.Exchange(ref _buffer, null) is { } buffer)
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static RpcException Incomplete() => new(new Status(StatusCode.Internal, "The response ended inside a message."));

    /// <summary>Reads until the buffer holds that many bytes; false if the body ends before.</summary>
    private async ValueTask<bool> FillAsync(int needed, CancellationToken cancellationToken)
    {
        if (_end - _start >= needed)
        {
            return true;
        }

        MakeRoom(needed);
        while (_end - _start < needed)
        {
            int most = Math.Min(_buffer!.Length - _end, needed - (_end - _start) + ReadAhead);
            int read = await stream.ReadAsync(_buffer.AsMemory(_end, most), cancellationToken).ConfigureAwait(false);
            if (read == 0)
            {
                return false;
            }

            _end += read;
        }

        return true;
    }

    private void MakeRoom(int needed)
    {
        ObjectDisposedException.ThrowIf(_buffer is null, this);
        int held = _end - _start;
        byte[] target = _buffer;
        if (needed > target.Length)
        {
            target = ArrayPool<byte>.Shared.Rent((int)Math.Min((long)needed + ReadAhead, Array.MaxLength));
        }
        else if (_start == 0 || needed <= target.Length - _start)
        {
            return;
        }

        _buffer.AsSpan(_start, held).CopyTo(target);
        if (target != _buffer)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = target;
        }

        _start = 0;
        _end = held;
    }
}
