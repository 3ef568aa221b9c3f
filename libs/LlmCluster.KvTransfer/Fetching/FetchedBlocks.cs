using System.Buffers;
using LlmCluster.Inference.KvCache;
using LlmCluster.KvTransfer.Checksums;
using LlmCluster.KvTransfer.Frames;
using LlmCluster.KvTransfer.Receiving;

namespace LlmCluster.KvTransfer.Fetching;

/// <summary>Writes fetched K/V into blocks of the pool, and knows which of them are whole. For one thread.</summary>
/// <param name="store">The pool's bytes.</param>
/// <param name="blocks">The blocks that were asked for; the caller has references on them.</param>
internal sealed class FetchedBlocks(IKvBlockStore store, int[] blocks) : IKvBlockSink
{
    private ReceivedBlocks? _received;
    private KvTransferException? _problem;

    /// <summary>Leading blocks that are there in every layer.</summary>
    public int Complete => _received?.CompletePrefix ?? 0;

    /// <summary>Bytes that came.</summary>
    public long Bytes { get; private set; }

    /// <summary>The peer says how many blocks follow.</summary>
    /// <exception cref="KvTransferException">It must not, or they are more than were asked for.</exception>
    public void Begin(int found)
    {
        if (_received is not null)
        {
            throw Refuse("it said twice how many blocks it has");
        }

        if (found < 0 || found > blocks.Length)
        {
            throw Refuse($"it claims to have {found} of {blocks.Length} blocks");
        }

        _received = new ReceivedBlocks(store.Layout.Layers, found, cachedBlocks: 0);
    }

    /// <summary>Checks what came with the last message.</summary>
    /// <exception cref="KvTransferException">It was wrong.</exception>
    public void RequireSound()
    {
        if (_problem is not null)
        {
            throw _problem;
        }
    }

    /// <summary>Checks that all has come that was announced.</summary>
    /// <exception cref="KvTransferException">It has not.</exception>
    public void RequireComplete()
    {
        if (_received is null)
        {
            throw Refuse("it did not say how many blocks it has");
        }

        _received.RequireComplete();
    }

    void IKvBlockSink.Receive(int layer, int firstBlock, int blockCount, in ReadOnlySequence<byte> payload, uint checksum)
    {
        if (_problem is not null)
        {
            return;
        }

        try
        {
            ReceivedBlocks received = _received ?? throw Refuse("blocks came before their number");
            received.Require(layer, firstBlock, blockCount);
            if (payload.Length != (long)blockCount * store.Layout.LayerBlockBytes)
            {
                throw Refuse($"{blockCount} blocks came with {payload.Length} bytes; a block of one layer has {store.Layout.LayerBlockBytes}");
            }

            uint state = store.Write(layer, blocks.AsSpan(firstBlock, blockCount), payload, KvChecksum.Initial);
            if (KvChecksum.Finish(state, layer, firstBlock, blockCount) != checksum)
            {
                throw new KvTransferException(
                    KvTransferError.Corrupt, $"The checksum of layer {layer}, blocks {firstBlock} to {firstBlock + blockCount - 1}, does not match.");
            }

            received.Add(layer, firstBlock, blockCount);
            Bytes += payload.Length;
        }
        catch (Exception e)
        {
            _problem = KvTransferException.From(e);
        }
    }

    private static KvTransferException Refuse(string problem) => new(KvTransferError.Protocol, $"The peer broke the protocol: {problem}.");
}
