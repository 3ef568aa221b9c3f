namespace LlmCluster.KvTransfer.Receiving;

/// <summary>Which (layer, block) pairs of a sequence are there. For one thread.</summary>
internal sealed class ReceivedBlocks
{
    private readonly int _layers;
    private readonly int _cached;
    private readonly bool[] _present;
    private readonly int[] _layersPresent;
    private int _missing;

    public ReceivedBlocks(int layers, int blockCount, int cachedBlocks)
    {
        _layers = layers;
        _cached = cachedBlocks;
        BlockCount = blockCount;
        _present = new bool[checked(layers * blockCount)];
        _layersPresent = new int[blockCount];
        Array.Fill(_layersPresent, layers, 0, cachedBlocks);
        _missing = layers * (blockCount - cachedBlocks);
    }

    /// <summary>Blocks of the sequence.</summary>
    public int BlockCount { get; }

    /// <summary>(layer, block) pairs that are still to come.</summary>
    public int Missing => _missing;

    /// <summary>Leading blocks that are complete in every layer, those that were cached included.</summary>
    public int CompletePrefix
    {
        get
        {
            int block = _cached;
            while (block < BlockCount && _layersPresent[block] == _layers)
            {
                block++;
            }

            return block;
        }
    }

    /// <summary>Checks that a run may come now.</summary>
    /// <exception cref="KvTransferException">It lies outside the sequence, is cached here, or came before.</exception>
    public void Require(int layer, int firstBlock, int count)
    {
        if ((uint)layer >= (uint)_layers)
        {
            throw Refuse($"layer {layer} was sent; the model has layers 0 to {_layers - 1}");
        }

        if (firstBlock < 0 || count < 1 || firstBlock > BlockCount - count)
        {
            throw Refuse($"{count} blocks from block {firstBlock} were sent; the sequence has blocks 0 to {BlockCount - 1}");
        }

        if (firstBlock < _cached)
        {
            throw Refuse($"block {firstBlock} was sent; the first {_cached} blocks are here already and must not be sent");
        }

        int at = Array.IndexOf(_present, true, (layer * BlockCount) + firstBlock, count);
        if (at >= 0)
        {
            throw Refuse($"block {at - (layer * BlockCount)} of layer {layer} was sent twice");
        }
    }

    /// <summary>Takes note of a run that <see cref="Require"/> let pass and that is written.</summary>
    public void Add(int layer, int firstBlock, int count)
    {
        Array.Fill(_present, true, (layer * BlockCount) + firstBlock, count);
        _missing -= count;
        foreach (ref int layers in _layersPresent.AsSpan(firstBlock, count))
        {
            layers++;
        }
    }

    /// <summary>Checks that nothing is missing.</summary>
    /// <exception cref="KvTransferException">Something is; the message names the first.</exception>
    public void RequireComplete()
    {
        if (_missing == 0)
        {
            return;
        }

        int block = CompletePrefix;
        int layer = 0;
        while (_present[(layer * BlockCount) + block])
        {
            layer++;
        }

        throw Refuse($"the sequence was committed without block {block} of layer {layer} ({_missing} in all are missing)");
    }

    private static KvTransferException Refuse(string problem) => new(KvTransferError.Protocol, $"The sender broke the protocol: {problem}.");
}
