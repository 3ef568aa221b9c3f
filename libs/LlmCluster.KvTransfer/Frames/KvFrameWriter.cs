using System.Buffers;
using System.Buffers.Binary;
using Google.Protobuf;
using LlmCluster.KvTransfer.Checksums;

namespace LlmCluster.KvTransfer.Frames;

/// <summary>
/// Writes frames as the protobuf of <c>kv_transfer.proto</c>. Payloads go straight from the pool into the transport's
/// buffer, and their checksum is computed in the same pass.
/// </summary>
internal static class KvFrameWriter
{
    /// <summary>Bytes of the frame.</summary>
    public static int GetLength(KvOutgoingFrame frame)
    {
        int inner = frame.Blocks is { } blocks ? BlocksLength(blocks) : Message(frame).CalculateSize();
        return 1 + VarintLength((uint)inner) + inner;
    }

    /// <summary>Writes the frame.</summary>
    public static void Write(KvOutgoingFrame frame, IBufferWriter<byte> output)
    {
        if (frame.Blocks is { } blocks)
        {
            WriteBlocks(blocks, output);
            return;
        }

        IMessage message = Message(frame);
        Span<byte> header = output.GetSpan(1 + KvWire.MaxVarint);
        header[0] = frame.Open is not null ? KvWire.OpenTag : KvWire.CommitTag;
        output.Advance(1 + WriteVarint(header[1..], (uint)message.CalculateSize()));
        message.WriteTo(output);
    }

    private static IMessage Message(KvOutgoingFrame frame) => (IMessage?)frame.Open ?? frame.Commit!;

    private static int BlocksLength(KvOutgoingBlocks blocks)
    {
        uint payload = (uint)blocks.PayloadLength;
        return FieldLength(blocks.Layer) + FieldLength(blocks.FirstBlock) + FieldLength(blocks.PoolBlocks.Length)
            + 1 + VarintLength(payload) + (int)payload
            + 1 + sizeof(uint);
    }

    private static void WriteBlocks(KvOutgoingBlocks blocks, IBufferWriter<byte> output)
    {
        int count = blocks.PoolBlocks.Length;
        Span<byte> header = output.GetSpan(KvWire.MaxHeader);
        int at = 0;
        header[at++] = KvWire.BlocksTag;
        at += WriteVarint(header[at..], (uint)BlocksLength(blocks));
        at += WriteField(header[at..], KvWire.LayerTag, blocks.Layer);
        at += WriteField(header[at..], KvWire.FirstBlockTag, blocks.FirstBlock);
        at += WriteField(header[at..], KvWire.BlockCountTag, count);
        header[at++] = KvWire.PayloadTag;
        at += WriteVarint(header[at..], (uint)blocks.PayloadLength);
        output.Advance(at);

        uint state = blocks.Store.Read(blocks.Layer, blocks.PoolBlocks.Span, output, KvChecksum.Initial);
        Span<byte> trailer = output.GetSpan(1 + sizeof(uint));
        trailer[0] = KvWire.ChecksumTag;
        BinaryPrimitives.WriteUInt32LittleEndian(trailer[1..], KvChecksum.Finish(state, blocks.Layer, blocks.FirstBlock, count));
        output.Advance(1 + sizeof(uint));
    }

    private static int VarintLength(uint value)
    {
        int length = 1;
        while ((value >>= 7) != 0)
        {
            length++;
        }

        return length;
    }

    // Proto3 leaves zeros out.
    private static int FieldLength(int value) => value == 0 ? 0 : 1 + VarintLength((uint)value);

    private static int WriteField(Span<byte> destination, byte tag, int value)
    {
        if (value == 0)
        {
            return 0;
        }

        destination[0] = tag;
        return 1 + WriteVarint(destination[1..], (uint)value);
    }

    private static int WriteVarint(Span<byte> destination, uint value)
    {
        int length = 0;
        for (; value >= 0x80; value >>= 7)
        {
            destination[length++] = (byte)(value | 0x80);
        }

        destination[length++] = (byte)value;
        return length;
    }
}
