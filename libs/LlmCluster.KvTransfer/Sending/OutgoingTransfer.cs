using System.Diagnostics;
using LlmCluster.Inference.KvCache;
using LlmCluster.KvTransfer.Frames;
using LlmCluster.KvTransfer.Transports;
using LlmCluster.Protocol.V1;

namespace LlmCluster.KvTransfer.Sending;

/// <summary>
/// One stream to a decode worker. One task writes and one reads, so that a refusal is heard while frames wait for
/// the network.
/// </summary>
internal sealed class OutgoingTransfer(IKvSenderStream stream, PrefillProgress progress, IKvBlockStore store, KvSenderOptions options)
{
    // How long a broken stream may take to tell why it broke.
    private static readonly TimeSpan StatusTimeout = TimeSpan.FromSeconds(1);

    private readonly TaskCompletionSource<int> _accepted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly FramePlanner _planner = new(store.Layout.LayerBlockBytes, options.MaxFrameBytes);
    private Task _write = Task.CompletedTask;
    private long _sentBytes;
    private TimeSpan _sending;
    private long _sentAt;

    /// <summary>
    /// How long blocks were on their way, once they were taken over: while they were written, and from the last one until the receiver had all. Zero if none were sent.
    /// </summary>
    public TimeSpan Duration { get; private set; }

    public async Task<KvSendResult> RunAsync(KvOpen open, CancellationToken cancellationToken)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task done = ReadUntilDoneAsync(both.Token);
        Task writing = WriteAsync(open, both.Token);
        try
        {
            if (await Task.WhenAny(done, writing).ConfigureAwait(false) == writing)
            {
                await ObserveWritingAsync(writing, done, cancellationToken).ConfigureAwait(false);
                await Deadline.WaitAsync(done, options.DoneTimeout, "The decode worker did not confirm the sequence", cancellationToken).ConfigureAwait(false);
            }

            // The receiver may be done before all is sent: an earlier attempt has brought it the sequence.
            await done.ConfigureAwait(false);
            if (writing.IsCompletedSuccessfully && _sentBytes > 0)
            {
                Duration = _sending + Stopwatch.GetElapsedTime(_sentAt);
            }
        }
        finally
        {
            // Frames are read from the pool while they are written: the blocks are in use until the writing has ended.
            await both.CancelAsync().ConfigureAwait(false);
            await writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await _write.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await done.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        bool sent = writing.IsCompletedSuccessfully;
        return new KvSendResult(
            Math.Min(progress.CachedBlocks * store.Layout.BlockSize, open.Sequence.Prompt.Count),
            sent ? _planner.SkippedBlocks : progress.Blocks.Length,
            _sentBytes);
    }

    private static async Task ObserveWritingAsync(Task writing, Task done, CancellationToken cancellationToken)
    {
        try
        {
            await writing.ConfigureAwait(false);
        }
        catch (KvTransferException e) when (e.Error is KvTransferError.Unavailable or KvTransferError.Internal or KvTransferError.Cancelled)
        {
            // A write to a stream that the receiver ended fails without telling why; the read tells.
            await Task.WhenAny(done, Task.Delay(StatusTimeout, cancellationToken)).ConfigureAwait(false);
            if (done.IsFaulted)
            {
                await done.ConfigureAwait(false);
            }

            throw;
        }
    }

    private async Task ReadUntilDoneAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            KvReceiverMessage message = await stream.ReadAsync(cancellationToken).ConfigureAwait(false)
                ?? throw new KvTransferException(KvTransferError.Protocol, "The decode worker ended the transfer without taking the sequence over.");
            switch (message.MessageCase)
            {
                case KvReceiverMessage.MessageOneofCase.Accept:
                    _accepted.TrySetResult(message.Accept.CachedBlocks);
                    break;
                case KvReceiverMessage.MessageOneofCase.Done:
                    return;
                default:
                    throw new KvTransferException(KvTransferError.Protocol, "The decode worker sent a message of an unknown kind.");
            }
        }
    }

    private async Task WriteAsync(KvOpen open, CancellationToken cancellationToken)
    {
        await WriteFrameAsync(new KvOutgoingFrame(open), cancellationToken).ConfigureAwait(false);
        await Deadline.WaitAsync(_accepted.Task, options.AcceptTimeout, "The decode worker did not accept the sequence", cancellationToken).ConfigureAwait(false);
        int cached = await _accepted.Task.ConfigureAwait(false);
        if (cached < 0 || cached > progress.Blocks.Length)
        {
            throw new KvTransferException(
                KvTransferError.Protocol, $"The decode worker claims to hold {cached} blocks of a sequence of {progress.Blocks.Length}.");
        }

        _planner.SkippedBlocks = cached;
        var frames = new List<BlockRun>();
        while (await WaitForBlocksAsync(cancellationToken).ConfigureAwait(false))
        {
            while (progress.Ready.TryRead(out BlockRun run))
            {
                _planner.Add(run);
            }

            frames.Clear();
            _planner.Take(frames);
            foreach (BlockRun run in frames)
            {
                var blocks = new KvOutgoingBlocks(store, run.Layer, run.FirstBlock, progress.Blocks.AsMemory(run.FirstBlock, run.Count));
                long began = Stopwatch.GetTimestamp();
                await WriteFrameAsync(new KvOutgoingFrame(blocks), cancellationToken).ConfigureAwait(false);
                _sending += Stopwatch.GetElapsedTime(began);
                _sentBytes += blocks.PayloadLength;
            }
        }

        KvCommit commit = SequenceMapping.ToCommit(progress.FirstToken, progress.CachedBlocks * store.Layout.BlockSize);
        commit.SendingMicros = (long)_sending.TotalMicroseconds;
        _sentAt = Stopwatch.GetTimestamp();
        await WriteFrameAsync(new KvOutgoingFrame(commit), cancellationToken).ConfigureAwait(false);
        await stream.CompleteAsync().ConfigureAwait(false);
    }

    private async ValueTask<bool> WaitForBlocksAsync(CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(options.ComputeTimeout);
        try
        {
            return await progress.Ready.WaitToReadAsync(patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (patience.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new KvTransferException(KvTransferError.DeadlineExceeded, $"The engine made no progress within {options.ComputeTimeout}.", e);
        }
    }

    private ValueTask WriteFrameAsync(KvOutgoingFrame frame, CancellationToken cancellationToken)
    {
        ValueTask write = stream.WriteAsync(frame, cancellationToken);
        if (write.IsCompletedSuccessfully)
        {
            return write;
        }

        // Not by cancelling the write: that would end the stream, and its reader would hear of it before the deadline is told.
        _write = write.AsTask();
        return new ValueTask(Deadline.WaitAsync(_write, options.WriteTimeout, "The decode worker took no data", cancellationToken));
    }
}
