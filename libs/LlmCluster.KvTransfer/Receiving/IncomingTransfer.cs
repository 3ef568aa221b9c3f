using System.Buffers;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.KvTransfer.Checksums;
using LlmCluster.KvTransfer.Frames;
using LlmCluster.KvTransfer.Transports;
using LlmCluster.Protocol.V1;
using Microsoft.Extensions.Logging;

namespace LlmCluster.KvTransfer.Receiving;

/// <summary>
/// One stream from its opening to its end. All writes to the attempt's blocks happen in here, one after the other,
/// so once <see cref="RunAsync"/> has ended nothing can touch them.
/// </summary>
internal sealed class IncomingTransfer(
    IInferenceEngine engine, RendezvousTable table, KvReceiverOptions options, TimeProvider time, ILogger logger, IKvReceiverStream stream, TransferRate? rate)
    : IKvBlockSink
{
    private static readonly KvReceiverMessage Done = new() { Done = new KvDone() };

    private readonly KvLayout _layout = engine.Runner.KvStore.Layout;
    private TransferTicket? _ticket;
    private BlockLease? _lease;
    private ReceivedBlocks? _received;
    private BlockHash[] _hashes = [];
    private int _cachedBlocks;
    private KvTransferException? _problem;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            KvOpen open = await ReadOpenAsync(cancellationToken).ConfigureAwait(false);
            RequireEqualFingerprints(open);
            PrefillRequest sequence = open.Sequence ?? throw new KvTransferException(KvTransferError.InvalidRequest, "The opening message has no sequence.");
            GenerationRequest request = SequenceMapping.ToGenerationRequest(sequence, engine.Runner.Config);
            var ticket = new TransferTicket(new SequenceKey(sequence.Id.RequestId, sequence.Id.Index), sequence.Id.Epoch);
            if (table.Join(ticket) is { } olderHandlers)
            {
                await RunTicketAsync(ticket, olderHandlers, request, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                KvReceiverLog.TakenOverBefore(logger, ticket.Key, ticket.Epoch);
                await stream.WriteAsync(Done, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is not KvTransferException)
        {
            throw KvTransferException.From(e);
        }
    }

    private async Task RunTicketAsync(TransferTicket ticket, Task olderHandlers, GenerationRequest request, CancellationToken cancellationToken)
    {
        KvTransferException? error = null;
        _ticket = ticket;
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(ticket.Cancelled, cancellationToken);
            await TransferAsync(ticket, olderHandlers, request, either.Token).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            error = ticket.Reason ?? KvTransferException.From(e);
        }
        finally
        {
            int published = PublishComplete();
            _lease?.Dispose();
            table.Leave(ticket, error);
            if (error is not null)
            {
                KvReceiverLog.Failed(logger, ticket.Key, ticket.Epoch, error.Error, error.Message, published);
            }
        }

        if (error is not null)
        {
            throw error;
        }

        // The sequence runs whether or not the sender still hears of it.
        KvReceiverLog.TakenOver(logger, ticket.Key, ticket.Epoch);
        await stream.WriteAsync(Done, cancellationToken).ConfigureAwait(false);
    }

    private async Task TransferAsync(TransferTicket ticket, Task olderHandlers, GenerationRequest request, CancellationToken cancellationToken)
    {
        try
        {
            await olderHandlers.WaitAsync(options.SupersedeTimeout, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException e)
        {
            throw new KvTransferException(
                KvTransferError.DeadlineExceeded, $"An older attempt of sequence {ticket.Key} did not end within {options.SupersedeTimeout}.", e);
        }

        await ReserveAsync(request, cancellationToken).ConfigureAwait(false);
        KvReceiverLog.Accepted(logger, ticket.Key, ticket.Epoch, _cachedBlocks, _received!.BlockCount);
        var accept = new KvReceiverMessage { Accept = new KvAccept { CachedBlocks = _cachedBlocks } };
        await stream.WriteAsync(accept, cancellationToken).ConfigureAwait(false);

        KvCommit commit = await ReadBlocksAsync(cancellationToken).ConfigureAwait(false);
        _received.RequireComplete();
        GeneratedToken firstToken = SequenceMapping.ToToken(commit, request.Sampling.TopLogprobs >= 0, engine.Runner.Config);
        if (commit.CachedTokens < 0 || commit.CachedTokens > request.Prompt.Length)
        {
            throw new KvTransferException(
                KvTransferError.Protocol, $"cached_tokens is {commit.CachedTokens}; the prompt has {request.Prompt.Length} tokens.");
        }

        cancellationToken.ThrowIfCancellationRequested();
        rate?.Add((long)(_received.BlockCount - _cachedBlocks) * _layout.BlockBytes, TimeSpan.FromMicroseconds(commit.SendingMicros));
        PublishComplete();
        IGeneration generation = engine.Adopt(request, _lease!, firstToken, commit.CachedTokens);
        _lease = null;
        if (!table.TryHandOver(ticket, generation))
        {
            await generation.DisposeAsync().ConfigureAwait(false);
            throw ticket.Reason ?? new KvTransferException(KvTransferError.StaleEpoch, $"Attempt {ticket.Epoch} of sequence {ticket.Key} no longer counts.");
        }
    }

    private async Task<KvOpen> ReadOpenAsync(CancellationToken cancellationToken)
    {
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        silence.CancelAfter(options.OpenTimeout);
        KvIncomingFrame? frame = await ReadFrameAsync(null, silence, options.OpenTimeout, cancellationToken).ConfigureAwait(false);
        return frame?.Open ?? throw new KvTransferException(KvTransferError.Protocol, "The first message of a transfer must open it.");
    }

    private void RequireEqualFingerprints(KvOpen open)
    {
        // The layout first: it is part of the model's fingerprint, and the plainer thing to be told of.
        if (open.LayoutFingerprint != _layout.Fingerprint)
        {
            throw new KvTransferException(
                KvTransferError.Mismatch,
                $"The workers' KV layouts differ: the sender has '{open.LayoutFingerprint}', the receiver '{_layout.Fingerprint}'.");
        }

        if (open.ModelFingerprint != engine.Runner.Fingerprint)
        {
            throw new KvTransferException(
                KvTransferError.Mismatch,
                $"The workers' models differ: the sender runs '{open.ModelFingerprint}', the receiver '{engine.Runner.Fingerprint}'.");
        }
    }

    private async Task ReserveAsync(GenerationRequest request, CancellationToken cancellationToken)
    {
        BlockHash root = BlockHash.Root(engine.Runner.Fingerprint, "", request.CacheSalt);
        _hashes = BlockHash.Chain(root, request.Prompt, _layout.BlockSize);
        int blockCount = _layout.BlocksFor(request.Prompt.Length);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(options.ReserveTimeout);
        try
        {
            (_lease, _cachedBlocks) = await engine.ReserveAsync(_hashes, blockCount, patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new KvTransferException(
                KvTransferError.NoRoom, $"{blockCount} blocks did not become free at the decode worker within {options.ReserveTimeout}.", e);
        }

        _received = new ReceivedBlocks(_layout.Layers, blockCount, _cachedBlocks);
    }

    private async Task<KvCommit> ReadBlocksAsync(CancellationToken cancellationToken)
    {
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        while (true)
        {
            silence.CancelAfter(options.FrameTimeout);
            KvIncomingFrame frame = await ReadFrameAsync(this, silence, options.FrameTimeout, cancellationToken).ConfigureAwait(false)
                ?? throw new KvTransferException(KvTransferError.Protocol, "The sender ended the transfer without a commit.");
            cancellationToken.ThrowIfCancellationRequested();
            if (_problem is not null)
            {
                throw _problem;
            }

            if (frame.Commit is { } commit)
            {
                return commit;
            }

            if (!frame.HasBlocks)
            {
                throw new KvTransferException(KvTransferError.Protocol, "Only blocks and a commit may follow the opening message.");
            }
        }
    }

    private async Task<KvIncomingFrame?> ReadFrameAsync(
        IKvBlockSink? blocks, CancellationTokenSource silence, TimeSpan limit, CancellationToken cancellationToken)
    {
        try
        {
            return await stream.ReadAsync(blocks, silence.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (silence.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new KvTransferException(KvTransferError.DeadlineExceeded, $"The sender was silent for {limit}.", e);
        }
    }

    // An attempt that was ended writes nothing more, though its blocks are its own until its handler has ended.
    void IKvBlockSink.Receive(int layer, int firstBlock, int blockCount, in ReadOnlySequence<byte> payload, uint checksum)
    {
        try
        {
            if (_problem is null && !_ticket!.Cancelled.IsCancellationRequested)
            {
                _received!.Require(layer, firstBlock, blockCount);
                uint state = Write(layer, _lease!.Blocks.Slice(firstBlock, blockCount), payload);
                if (KvChecksum.Finish(state, layer, firstBlock, blockCount) != checksum)
                {
                    throw new KvTransferException(
                        KvTransferError.Corrupt,
                        $"The checksum of layer {layer}, blocks {firstBlock} to {firstBlock + blockCount - 1}, does not match.");
                }

                _received.Add(layer, firstBlock, blockCount);
            }
        }
        catch (Exception e)
        {
            _problem = KvTransferException.From(e);
        }
    }

    private uint Write(int layer, ReadOnlySpan<int> poolBlocks, in ReadOnlySequence<byte> payload)
    {
        int size = _layout.LayerBlockBytes;
        if (payload.Length != (long)poolBlocks.Length * size)
        {
            throw new KvTransferException(
                KvTransferError.Protocol, $"{poolBlocks.Length} blocks came with {payload.Length} bytes; a block of one layer has {size}.");
        }

        return engine.Runner.KvStore.Write(layer, poolBlocks, payload, KvChecksum.Initial);
    }

    // Full blocks that are complete in every layer are good for any later request, a retry of this one first of all.
    private int PublishComplete()
    {
        if (_lease is null || _received is null)
        {
            return 0;
        }

        ReadOnlySpan<int> blocks = _lease.Blocks;
        int end = Math.Min(_received.CompletePrefix, _hashes.Length);
        for (int i = _cachedBlocks; i < end; i++)
        {
            engine.Pool.Publish(blocks[i], _hashes[i]);
        }

        return Math.Max(0, end - _cachedBlocks);
    }
}
