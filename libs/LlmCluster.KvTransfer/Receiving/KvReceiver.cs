using LlmCluster.Inference.Engine;
using LlmCluster.KvTransfer.Transports;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmCluster.KvTransfer.Receiving;

/// <summary>
/// The decode worker's side of KV transfer: takes transfers from any transport, and gives the sequences that they
/// bring to the client requests that wait for them. Safe to use from several threads.
/// </summary>
public sealed class KvReceiver : IAsyncDisposable
{
    private readonly IInferenceEngine _engine;
    private readonly KvReceiverOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly RendezvousTable _table;
    private readonly ITimer _sweeper;
    private readonly TransferRate? _rate;

    /// <summary>Creates a receiver for an engine.</summary>
    /// <param name="engine">Whose pool the blocks go to, and which runs the sequences.</param>
    /// <param name="options">Deadlines and limits.</param>
    /// <param name="time">The clock; none: the system's.</param>
    /// <param name="logger">Where to log; none: nowhere.</param>
    /// <param name="rate">Told of every transfer; none: nobody wants to know.</param>
    public KvReceiver(
        IInferenceEngine engine, KvReceiverOptions options, TimeProvider? time = null, ILogger<KvReceiver>? logger = null, TransferRate? rate = null)
    {
        _rate = rate;
        _engine = engine;
        _options = options;
        _time = time ?? TimeProvider.System;
        _logger = logger ?? NullLogger<KvReceiver>.Instance;
        _table = new RendezvousTable(options, _time);
        TimeSpan period = TimeSpan.FromMilliseconds(Math.Clamp(options.ClaimTimeout.TotalMilliseconds / 4, 10, 1000));
        _sweeper = _time.CreateTimer(static state => _ = ((KvReceiver)state!).SweepAsync(), this, period, period);
    }

    /// <summary>Transfers whose stream is open.</summary>
    public int LiveTransfers => _table.LiveTransfers;

    /// <summary>Client requests that wait for their sequence.</summary>
    public int WaitingRequests => _table.WaitingRequests;

    /// <summary>Sequences of which anything is known: bounded by what is live and <see cref="KvReceiverOptions.MemoryLimit"/>.</summary>
    internal int KnownSequences => _table.Count;

    /// <summary>
    /// Serves one transfer's stream to its end. When this has returned or thrown, nothing more is written to the
    /// blocks of the attempt.
    /// </summary>
    /// <param name="stream">The stream.</param>
    /// <param name="cancellationToken">The sender is gone, or its deadline passed.</param>
    /// <exception cref="KvTransferException">The transfer failed; the transport tells the sender.</exception>
    public async Task RunTransferAsync(IKvReceiverStream stream, CancellationToken cancellationToken)
    {
        var transfer = new IncomingTransfer(_engine, _table, _options, _time, _logger, stream, _rate);
        await transfer.RunAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Waits for a sequence. Cancelling the wait, or disposing the result, drops the sequence: a transfer under way
    /// is ended, later ones are refused. A transfer that fails does not end the wait, as another attempt may follow.
    /// </summary>
    /// <param name="requestId">The client's request.</param>
    /// <param name="index">Index of the sequence within it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="GenerationException">The sequence was dropped or did not come in time.</exception>
    public async ValueTask<IGeneration> ReceiveAsync(string requestId, int index, CancellationToken cancellationToken)
    {
        var key = new SequenceKey(requestId, index);
        Task<IGeneration> claim = _table.Claim(key);
        try
        {
            IGeneration generation = await claim.WaitAsync(_options.ReceiveTimeout, _time, cancellationToken).ConfigureAwait(false);
            return new ReceivedGeneration(generation, _table, key);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            string? problem = _table.GetLastProblem(key);
            bool late = e is TimeoutException;
            _table.Drop(key, late ? $"it did not arrive within {_options.ReceiveTimeout}." : "the client's request was cancelled.");

            // The hand-over may have come at the same moment; from the drop on it can't.
            if (claim.IsCompletedSuccessfully)
            {
                await (await claim.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
            }

            if (late)
            {
                throw new GenerationException(
                    GenerationError.DeadlineExceeded,
                    $"Sequence {key} did not arrive from a prefill worker within {_options.ReceiveTimeout}."
                        + (problem is null ? "" : $" The last attempt failed: {problem}"),
                    e);
            }

            throw;
        }
    }

    /// <summary>Ends every transfer and every wait; returns when all blocks of transfers are released. May be called twice.</summary>
    public async ValueTask DisposeAsync()
    {
        await _sweeper.DisposeAsync().ConfigureAwait(false);
        (List<IGeneration> unclaimed, Task handlersEnded) = _table.Stop();
        await DisposeAllAsync(unclaimed).ConfigureAwait(false);
        try
        {
            await handlersEnded.WaitAsync(_options.SupersedeTimeout, _time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            KvReceiverLog.HandlersLeft(_logger, LiveTransfers, _options.SupersedeTimeout);
        }
    }

    /// <summary>Drops what nobody claimed in time.</summary>
    internal Task SweepAsync() => DisposeAllAsync(_table.Sweep());

    private async Task DisposeAllAsync(List<IGeneration> generations)
    {
        foreach (IGeneration generation in generations)
        {
            try
            {
                await generation.DisposeAsync().ConfigureAwait(false);
            }
            catch (Exception e)
            {
                KvReceiverLog.DropFailed(_logger, generation.Request.Id, e);
            }
        }
    }
}
