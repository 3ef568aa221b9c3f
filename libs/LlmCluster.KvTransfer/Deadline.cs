namespace LlmCluster.KvTransfer;

/// <summary>Waits that end with an error which says what was waited for.</summary>
internal static class Deadline
{
    /// <summary>Waits for a task.</summary>
    /// <exception cref="KvTransferException">The time passed: <c>"{what} within {limit}."</c></exception>
    public static async Task WaitAsync(Task task, TimeSpan limit, string what, CancellationToken cancellationToken)
    {
        try
        {
            await task.WaitAsync(limit, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException e) when (!task.IsCompleted)
        {
            throw new KvTransferException(KvTransferError.DeadlineExceeded, $"{what} within {limit}.", e);
        }
    }
}
