namespace LlmCluster.KvTransfer.Receiving;

/// <summary>One attempt to bring a sequence here, from its opening until its stream handler has ended.</summary>
internal sealed class TransferTicket(SequenceKey key, int epoch)
{
    // Without a timer and without a link there is nothing to dispose, so it may be cancelled at any time.
    private readonly CancellationTokenSource _cancellation = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private KvTransferException? _reason;

    public SequenceKey Key { get; } = key;

    public int Epoch { get; } = epoch;

    /// <summary>Fires when the attempt must end; <see cref="Reason"/> is set before.</summary>
    public CancellationToken Cancelled => _cancellation.Token;

    /// <summary>Why the attempt must end.</summary>
    public KvTransferException? Reason => Volatile.Read(ref _reason);

    /// <summary>Completes, never fails, when the handler has ended and its blocks are released.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Ends the attempt. The first reason stays.</summary>
    public void Cancel(KvTransferException reason)
    {
        if (Interlocked.CompareExchange(ref _reason, reason, null) is null)
        {
            _cancellation.Cancel();
        }
    }

    public void SetEnded() => _ended.TrySetResult();
}
