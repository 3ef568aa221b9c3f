namespace LlmCluster.Gateway.Proxy;

/// <summary>
/// The client's response while a worker's answer passes through: writes straight on and remembers whether what was
/// written ends with a whole server-sent event, so that an event of our own may follow, and when it began.
/// </summary>
/// <param name="inner">The client's response.</param>
/// <param name="time">The clock.</param>
/// <param name="onFirstWrite">Called once, before the first byte is written on; must return at once.</param>
internal sealed class AnswerStream(Stream inner, TimeProvider time, Action? onFirstWrite = null) : Stream
{
    private byte _last = (byte)'\n';
    private byte _beforeLast = (byte)'\n';

    /// <summary>Timestamp of the first byte, by the clock; null before it.</summary>
    public long? FirstWrite { get; private set; }

    /// <summary>Whether nothing was written, or the last event is whole.</summary>
    public bool EndsWithWholeEvent => _last == '\n' && _beforeLast == '\n';

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Remember(buffer.Span);
        return inner.WriteAsync(buffer, cancellationToken);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override void Flush() => inner.Flush();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("Only written asynchronously.");

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private void Remember(ReadOnlySpan<byte> written)
    {
        if (written.Length > 0)
        {
            _beforeLast = written.Length > 1 ? written[^2] : _last;
            _last = written[^1];
            if (FirstWrite is null)
            {
                FirstWrite = time.GetTimestamp();
                onFirstWrite?.Invoke();
            }
        }
    }
}
