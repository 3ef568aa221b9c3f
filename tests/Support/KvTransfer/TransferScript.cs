using Google.Protobuf;
using LlmCluster.Inference.KvCache;
using LlmCluster.KvTransfer.Checksums;
using LlmCluster.Protocol.V1;

namespace LlmCluster.Testing.KvTransfer;

/// <summary>The messages of one attempt as a sender puts them on the wire, made with generated code.</summary>
public sealed class TransferScript(int[] prompt, string requestId = "r", int index = 0, int epoch = 1, KvLayout? layout = null)
{
    private readonly KvLayout _layout = layout ?? KvContent.Layout;

    /// <summary>Blocks of the prompt.</summary>
    public int BlockCount => _layout.BlocksFor(prompt.Length);

    /// <summary>Layers of the layout.</summary>
    public int Layers => _layout.Layers;

    /// <summary>The opening, for a test to change.</summary>
    public KvOpen OpenMessage { get; } = new()
    {
        Sequence = new PrefillRequest
        {
            Id = new SequenceId { RequestId = requestId, Index = index, Epoch = epoch },
            Prompt = { prompt },
            Sampling = new Protocol.V1.Sampling { Temperature = 1, TopP = 1, RepetitionPenalty = 1, TopLogprobs = -1 },
            MaxTokens = 10,
        },
        ModelFingerprint = KvContent.Fingerprint,
        LayoutFingerprint = (layout ?? KvContent.Layout).Fingerprint,
    };

    /// <summary>The frame that opens.</summary>
    public byte[] Open() => new KvSenderMessage { Open = OpenMessage }.ToByteArray();

    /// <summary>A frame of blocks.</summary>
    public byte[] Blocks(int layer, int firstBlock, int count)
    {
        byte[] payload = [.. Enumerable.Range(firstBlock, count).SelectMany(block => KvContent.Expected(_layout, prompt, layer, block))];
        return new KvSenderMessage
        {
            Blocks = new KvBlocks
            {
                Layer = layer,
                FirstBlock = firstBlock,
                BlockCount = count,
                Payload = ByteString.CopyFrom(payload),
                Checksum = KvChecksum.Compute(payload, layer, firstBlock, count),
            },
        }.ToByteArray();
    }

    /// <summary>The frame that commits.</summary>
    public byte[] Commit() => new KvSenderMessage { Commit = new KvCommit { FirstToken = ContentEngine.FirstToken } }.ToByteArray();

    /// <summary>All frames after the opening, given the blocks that the receiver has.</summary>
    public IEnumerable<byte[]> Rest(int cachedBlocks)
    {
        for (int block = cachedBlocks; block < BlockCount; block++)
        {
            for (int layer = 0; layer < Layers; layer++)
            {
                yield return Blocks(layer, block, 1);
            }
        }

        yield return Commit();
    }

    /// <summary>Flips a bit of the payload.</summary>
    public static byte[] Damage(byte[] frame)
    {
        var damaged = (byte[])frame.Clone();
        damaged[^10] ^= 0x10;
        return damaged;
    }
}
