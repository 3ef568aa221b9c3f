using Google.Protobuf;
using LlmCluster.Inference.KvCache;
using LlmCluster.KvTransfer.Checksums;
using LlmCluster.Protocol.V1;
using LlmCluster.Testing.KvTransfer;

namespace LlmCluster.Tests.Unit.KvTransfer;

/// <summary>The messages of one attempt as a sender puts them on the wire, made with generated code.</summary>
internal sealed class TransferScript(int[] prompt, string requestId = "r", int index = 0, int epoch = 1, KvLayout? layout = null)
{
    private readonly KvLayout _layout = layout ?? KvContent.Layout;

    public int BlockCount => _layout.BlocksFor(prompt.Length);

    public int Layers => _layout.Layers;

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

    public byte[] Open() => new KvSenderMessage { Open = OpenMessage }.ToByteArray();

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
