using System.Buffers;
using System.Threading.Channels;
using LlmCluster.KvTransfer;
using LlmCluster.KvTransfer.Frames;
using LlmCluster.KvTransfer.Receiving;
using LlmCluster.KvTransfer.Transports;
using LlmCluster.Protocol.V1;

namespace LlmCluster.Testing.KvTransfer;

/// <summary>
/// Both ends of one transfer in memory, with the frames as bytes in between, so that a test can damage, repeat or
/// withhold them.
/// </summary>
public sealed class MemoryKvStream : IKvSenderStream, IKvReceiverStream
{
    private readonly Channel<byte[]> _frames = Channel.CreateUnbounded<byte[]>();
    private readonly Channel<KvReceiverMessage> _messages = Channel.CreateUnbounded<KvReceiverMessage>();
    private readonly CancellationTokenSource _senderGone = new();

    /// <summary>Runs a receiver on a new stream.</summary>
    public static MemoryKvStream Connect(KvReceiver receiver)
    {
        var stream = new MemoryKvStream();
        stream.Handler = stream.ServeAsync(receiver);
        return stream;
    }

    /// <summary>The receiver's handler; never fails.</summary>
    public Task Handler { get; private set; } = Task.CompletedTask;

    /// <summary>What the handler ended with.</summary>
    public KvTransferException? Error { get; private set; }

    /// <summary>Blocks that the receiver said it has, once it accepted.</summary>
    public int? CachedBlocks { get; private set; }

    /// <summary>Changes frames on their way; gives none, one or several.</summary>
    public Func<byte[], IEnumerable<byte[]>> OnTheWay { get; set; } = frame => [frame];

    /// <summary>The bytes of a frame on the wire.</summary>
    public static byte[] Encode(KvOutgoingFrame frame)
    {
        var buffer = new ArrayBufferWriter<byte>(KvFrameWriter.GetLength(frame));
        KvFrameWriter.Write(frame, buffer);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Puts bytes on the wire as they are.</summary>
    public void Send(byte[] frame) => _frames.Writer.TryWrite(frame);

    /// <summary>Ends the sender without a word.</summary>
    public void Vanish() => _senderGone.Cancel();

    /// <inheritdoc/>
    public ValueTask WriteAsync(KvOutgoingFrame frame, CancellationToken cancellationToken)
    {
        if (Handler.IsCompleted)
        {
            throw Error ?? new KvTransferException(KvTransferError.Unavailable, "The receiver has ended the stream.");
        }

        foreach (byte[] bytes in OnTheWay(Encode(frame)))
        {
            Send(bytes);
        }

        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask CompleteAsync()
    {
        _frames.Writer.TryComplete();
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    async ValueTask<KvReceiverMessage?> IKvSenderStream.ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await _messages.Reader.ReadAsync(cancellationToken);
        }
        catch (ChannelClosedException)
        {
            return Error is null ? null : throw Error;
        }
    }

    /// <inheritdoc/>
    async ValueTask<KvIncomingFrame?> IKvReceiverStream.ReadAsync(IKvBlockSink? blocks, CancellationToken cancellationToken)
    {
        try
        {
            byte[] bytes = await _frames.Reader.ReadAsync(cancellationToken);
            return KvFrameReader.Read(new ReadOnlySequence<byte>(bytes), blocks);
        }
        catch (ChannelClosedException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    ValueTask IKvReceiverStream.WriteAsync(KvReceiverMessage message, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        CachedBlocks ??= message.Accept?.CachedBlocks;
        return _messages.Writer.WriteAsync(message, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        Vanish();
        return ValueTask.CompletedTask;
    }

    private async Task ServeAsync(KvReceiver receiver)
    {
        try
        {
            await Task.Yield();
            await receiver.RunTransferAsync(this, _senderGone.Token);
        }
        catch (KvTransferException e)
        {
            Error = e;
        }
        finally
        {
            _messages.Writer.TryComplete();
        }
    }
}

/// <summary>Reaches one receiver in the same process.</summary>
public sealed class MemoryKvTransport(KvReceiver receiver) : IKvTransport
{
    /// <summary>Called with every stream that is opened.</summary>
    public Action<MemoryKvStream> OnOpen { get; set; } = _ => { };

    /// <inheritdoc/>
    public ValueTask<IKvSenderStream> OpenAsync(Uri address, CancellationToken cancellationToken)
    {
        var stream = MemoryKvStream.Connect(receiver);
        OnOpen(stream);
        return ValueTask.FromResult<IKvSenderStream>(stream);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
