using System.Buffers;
using Google.Protobuf;
using LlmCluster.Inference.KvCache;
using LlmCluster.KvTransfer.Checksums;
using LlmCluster.KvTransfer.Frames;
using LlmCluster.Protocol.V1;
using LlmCluster.Testing;
using LlmCluster.Testing.KvTransfer;
using Xunit;

namespace LlmCluster.Tests.Unit.KvTransfer;

public class KvFrameTests
{
    private static readonly KvLayout Layout = KvContent.Layout;
    private static readonly int[] PoolBlocks = [3, 0, 5];

    public static TheoryData<int, int, int> Places => new()
    {
        { 0, 0, 1 },
        { 2, 0, 3 },
        { 1, 127, 2 },
        { 0, 128, 3 },
        { 2, 70_000, 1 },
    };

    [Theory]
    [MemberData(nameof(Places))]
    public void Generated_code_reads_written_blocks(int layer, int firstBlock, int count)
    {
        KvOutgoingFrame frame = Blocks(layer, firstBlock, count, out byte[] payload);
        byte[] bytes = MemoryKvStream.Encode(frame);
        Assert.Equal(KvFrameWriter.GetLength(frame), bytes.Length);

        KvSenderMessage message = KvSenderMessage.Parser.ParseFrom(bytes);
        Assert.Equal(KvSenderMessage.MessageOneofCase.Blocks, message.MessageCase);
        Assert.Equal((layer, firstBlock, count), (message.Blocks.Layer, message.Blocks.FirstBlock, message.Blocks.BlockCount));
        Assert.Equal(payload, message.Blocks.Payload.ToByteArray());
        Assert.Equal(KvChecksum.Compute(payload, layer, firstBlock, count), message.Blocks.Checksum);
        Assert.Equal(message.ToByteArray(), bytes);
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void Blocks_of_generated_code_are_read_whole_and_in_any_segments(int layer, int firstBlock, int count)
    {
        Blocks(layer, firstBlock, count, out byte[] payload);
        byte[] bytes = new KvSenderMessage { Blocks = Message(layer, firstBlock, count, payload) }.ToByteArray();
        for (int segment = 1; segment <= bytes.Length; segment = segment < 20 ? segment + 1 : segment * 2)
        {
            Run blocks = Read(Segments.Of(bytes, segment))!;
            Assert.Equal((layer, firstBlock, count), (blocks.Layer, blocks.FirstBlock, blocks.BlockCount));
            Assert.True(blocks.Payload.SequenceEqual(payload));
            Assert.True(blocks.IsIntact);
        }
    }

    [Fact]
    public void Writers_may_hand_out_small_pieces()
    {
        KvOutgoingFrame frame = Blocks(1, 2, 3, out _);
        var output = new SmallPieces();
        KvFrameWriter.Write(frame, output);
        Assert.Equal(MemoryKvStream.Encode(frame), output.Written);
    }

    [Fact]
    public void Unknown_fields_are_skipped_wherever_they_stand()
    {
        var payload = new byte[] { 1, 2, 3 };
        byte[] known = Message(1, 2, 3, payload).ToByteArray();

        // Field 99: a varint; field 98: bytes.
        byte[] unknown = [0x98, 0x06, 0x2A, 0x92, 0x06, 0x02, 0x08, 0x07];
        foreach (byte[] inner in new[] { [.. unknown, .. known], [.. known, .. unknown], (byte[])[.. known[..2], .. unknown, .. known[2..]] })
        {
            byte[] outer = [0x12, (byte)inner.Length, .. inner];
            foreach (byte[] bytes in new[] { outer, [.. unknown, .. outer], (byte[])[.. outer, .. unknown] })
            {
                Run blocks = Read(Segments.Of(bytes, 3))!;
                Assert.Equal((1, 2, 3), (blocks.Layer, blocks.FirstBlock, blocks.BlockCount));
                Assert.True(blocks.Payload.SequenceEqual(payload));
                Assert.True(blocks.IsIntact);
            }
        }
    }

    [Fact]
    public void Fields_in_another_order_and_twice_mean_what_protobuf_says()
    {
        byte[] payload = [1, 2, 3];
        byte[] first = new KvBlocks { Layer = 1, Payload = ByteString.CopyFrom(9, 9) }.ToByteArray();
        byte[] second = new KvBlocks { FirstBlock = 4, BlockCount = 2, Payload = ByteString.CopyFrom(payload) }.ToByteArray();
        byte[] inner = [.. second, .. first, .. second];
        Run blocks = Read(new ReadOnlySequence<byte>([0x12, (byte)inner.Length, .. inner]))!;
        Assert.Equal((1, 4, 2), (blocks.Layer, blocks.FirstBlock, blocks.BlockCount));
        Assert.True(blocks.Payload.SequenceEqual(payload));
    }

    [Fact]
    public void Opening_and_commit_are_those_of_generated_code()
    {
        var open = new KvOpen { ModelFingerprint = "m", LayoutFingerprint = "l", Sequence = new PrefillRequest { Prompt = { 1, 2, 300 } } };
        byte[] bytes = MemoryKvStream.Encode(new KvOutgoingFrame(open));
        Assert.Equal(new KvSenderMessage { Open = open }.ToByteArray(), bytes);
        Assert.Equal(open, KvFrameReader.Read(Segments.Of(bytes, 2), null).Open);

        var commit = new KvCommit { FirstToken = 5, FinishReason = 1, Logprob = -0.5f, CachedTokens = 16 };
        bytes = MemoryKvStream.Encode(new KvOutgoingFrame(commit));
        Assert.Equal(new KvSenderMessage { Commit = commit }.ToByteArray(), bytes);
        Assert.Equal(commit, KvFrameReader.Read(Segments.Of(bytes, 2), null).Commit);
    }

    [Fact]
    public void A_frame_that_ends_early_is_refused()
    {
        byte[] bytes = MemoryKvStream.Encode(Blocks(1, 2, 3, out _));
        for (int length = 1; length < bytes.Length; length++)
        {
            Assert.Throws<InvalidProtocolBufferException>(() => KvFrameReader.Read(new ReadOnlySequence<byte>(bytes, 0, length), null));
        }
    }

    [Fact]
    public void Every_flipped_bit_is_noticed()
    {
        byte[] bytes = MemoryKvStream.Encode(Blocks(1, 2, 1, out byte[] payload));
        for (int bit = 0; bit < 8 * bytes.Length; bit++)
        {
            var damaged = (byte[])bytes.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            try
            {
                Run? blocks = Read(new ReadOnlySequence<byte>(damaged));
                bool same = blocks is { Layer: 1, FirstBlock: 2, BlockCount: 1, IsIntact: true } && blocks.Payload.SequenceEqual(payload);
                Assert.False(same, $"bit {bit}");
                Assert.False(blocks is { IsIntact: true }, $"bit {bit}");
            }
            catch (InvalidProtocolBufferException)
            {
                // Noticed, too.
            }
        }
    }

    private static KvOutgoingFrame Blocks(int layer, int firstBlock, int count, out byte[] payload)
    {
        var runner = new ContentRunner(Layout, blockCount: 6);
        payload = new byte[count * Layout.LayerBlockBytes];
        new Random(count).NextBytes(payload);
        for (int i = 0; i < count; i++)
        {
            runner.KvStore.Write(layer, PoolBlocks[i], 0, payload.AsSpan(i * Layout.LayerBlockBytes, Layout.LayerBlockBytes));
        }

        return new KvOutgoingFrame(new KvOutgoingBlocks(runner.KvStore, layer, firstBlock, PoolBlocks.AsMemory(0, count)));
    }

    private static KvBlocks Message(int layer, int firstBlock, int count, byte[] payload) => new()
    {
        Layer = layer,
        FirstBlock = firstBlock,
        BlockCount = count,
        Payload = ByteString.CopyFrom(payload),
        Checksum = KvChecksum.Compute(payload, layer, firstBlock, count),
    };

    private static Run? Read(in ReadOnlySequence<byte> bytes)
    {
        var sink = new RecordingSink();
        KvIncomingFrame frame = KvFrameReader.Read(bytes, sink);
        Assert.Equal(sink.Run is not null, frame.HasBlocks);
        return sink.Run;
    }

    private sealed record Run(int Layer, int FirstBlock, int BlockCount, byte[] Bytes, uint Checksum)
    {
        public ReadOnlySpan<byte> Payload => Bytes;

        public bool IsIntact => KvChecksum.Compute(Bytes, Layer, FirstBlock, BlockCount) == Checksum;
    }

    private sealed class RecordingSink : IKvBlockSink
    {
        public Run? Run { get; private set; }

        public void Receive(int layer, int firstBlock, int blockCount, in ReadOnlySequence<byte> payload, uint checksum)
        {
            Assert.Null(Run);
            Run = new Run(layer, firstBlock, blockCount, payload.ToArray(), checksum);
        }
    }

    private sealed class SmallPieces : IBufferWriter<byte>
    {
        private readonly List<byte> _written = [];
        private byte[] _piece = [];

        public byte[] Written => [.. _written];

        public void Advance(int count) => _written.AddRange(_piece.AsSpan(0, count));

        public Memory<byte> GetMemory(int sizeHint = 0) => _piece = new byte[Math.Max(sizeHint, 7)];

        public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;
    }
}
