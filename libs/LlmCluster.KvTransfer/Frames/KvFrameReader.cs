using System.Buffers;
using Google.Protobuf;
using LlmCluster.KvTransfer.Fetching;
using LlmCluster.Protocol.V1;

namespace LlmCluster.KvTransfer.Frames;

/// <summary>
/// Reads frames as the protobuf of <c>kv_transfer.proto</c>. A blocks frame as senders write it is read here, and its
/// payload handed on where it lies; anything else, unknown fields for one, goes through the generated parser.
/// </summary>
internal static class KvFrameReader
{
    /// <summary>Reads one frame. Nothing of <paramref name="input"/> is kept.</summary>
    /// <param name="input">The message.</param>
    /// <param name="sink">Takes the blocks of a frame; none: they are skipped.</param>
    /// <exception cref="InvalidProtocolBufferException">The bytes are no <c>KvSenderMessage</c>.</exception>
    public static KvIncomingFrame Read(in ReadOnlySequence<byte> input, IKvBlockSink? sink)
    {
        if (TryReadBlocks(input, sink))
        {
            return KvIncomingFrame.OfBlocks;
        }

        KvSenderMessage message = KvSenderMessage.Parser.ParseFrom(input);
        if (message.Blocks is { } blocks)
        {
            sink?.Receive(blocks.Layer, blocks.FirstBlock, blocks.BlockCount, new ReadOnlySequence<byte>(blocks.Payload.Memory), blocks.Checksum);
            return KvIncomingFrame.OfBlocks;
        }

        return new KvIncomingFrame { Open = message.Open, Commit = message.Commit };
    }

    /// <summary>Reads one message of a fetch. Nothing of <paramref name="input"/> is kept.</summary>
    /// <param name="input">The message.</param>
    /// <param name="sink">Takes the blocks; none: they are skipped.</param>
    /// <exception cref="InvalidProtocolBufferException">The bytes are no <c>KvFetchMessage</c>.</exception>
    public static KvFetchIncoming ReadFetched(in ReadOnlySequence<byte> input, IKvBlockSink? sink)
    {
        if (TryReadBlocks(input, sink))
        {
            return new KvFetchIncoming { HasBlocks = true };
        }

        KvFetchMessage message = KvFetchMessage.Parser.ParseFrom(input);
        if (message.Blocks is { } blocks)
        {
            sink?.Receive(blocks.Layer, blocks.FirstBlock, blocks.BlockCount, new ReadOnlySequence<byte>(blocks.Payload.Memory), blocks.Checksum);
        }

        return new KvFetchIncoming { Found = message.Found, HasBlocks = message.Blocks is not null };
    }

    // False: not a plain blocks frame. Whether it is well-formed at all is for the generated parser to say.
    private static bool TryReadBlocks(in ReadOnlySequence<byte> input, IKvBlockSink? sink)
    {
        var reader = new SequenceReader<byte>(input);
        if (!reader.TryRead(out byte tag) || tag != KvWire.BlocksTag || !TryReadVarint(ref reader, out uint length) || length != reader.Remaining)
        {
            return false;
        }

        int layer = 0;
        int firstBlock = 0;
        int blockCount = 0;
        uint checksum = 0;
        ReadOnlySequence<byte> payload = default;
        int lastTag = 0;
        while (reader.TryRead(out tag))
        {
            // Fields in ascending order, each once: what writers do.
            if (tag <= lastTag)
            {
                return false;
            }

            lastTag = tag;
            bool read = tag switch
            {
                KvWire.LayerTag => TryReadInt(ref reader, out layer),
                KvWire.FirstBlockTag => TryReadInt(ref reader, out firstBlock),
                KvWire.BlockCountTag => TryReadInt(ref reader, out blockCount),
                KvWire.PayloadTag => TryReadVarint(ref reader, out uint size) && size <= int.MaxValue && reader.TryReadExact((int)size, out payload),
                KvWire.ChecksumTag => TryReadFixed32(ref reader, out checksum),
                _ => false,
            };
            if (!read)
            {
                return false;
            }
        }

        sink?.Receive(layer, firstBlock, blockCount, payload, checksum);
        return true;
    }

    private static bool TryReadInt(ref SequenceReader<byte> reader, out int value)
    {
        bool read = TryReadVarint(ref reader, out uint raw) && raw <= int.MaxValue;
        value = (int)raw;
        return read;
    }

    private static bool TryReadVarint(ref SequenceReader<byte> reader, out uint value)
    {
        value = 0;
        for (int shift = 0; shift < 35; shift += 7)
        {
            if (!reader.TryRead(out byte part) || (shift == 28 && part > 0x0F))
            {
                return false;
            }

            value |= (uint)(part & 0x7F) << shift;
            if (part < 0x80)
            {
                return true;
            }
        }

        return false;
    }

    private static bool TryReadFixed32(ref SequenceReader<byte> reader, out uint value)
    {
        bool read = reader.TryReadLittleEndian(out int raw);
        value = (uint)raw;
        return read;
    }
}
