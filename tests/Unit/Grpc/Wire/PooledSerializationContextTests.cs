using System.Buffers;
using Grpc.Core;
using Grpc.Core.Wire;
using Xunit;

namespace LlmCluster.Tests.Unit.Grpc.Wire;

public sealed class PooledSerializationContextTests
{
    private readonly PooledSerializationContext _context = new();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(251)]
    [InlineData(252)]
    [InlineData(100_000)]
    public void A_message_follows_its_header_whichever_way_it_is_written(int size)
    {
        byte[] message = new byte[size];
        new Random(1).NextBytes(message);
        byte[] expected = [0, (byte)(size >> 24), (byte)(size >> 16), (byte)(size >> 8), (byte)size, .. message];
        Action<byte[], SerializationContext>[] serializers =
        [
            (bytes, context) => context.Complete(bytes),
            (bytes, context) =>
            {
                context.SetPayloadLength(bytes.Length);
                context.GetBufferWriter().Write(bytes);
                context.Complete();
            },
            (bytes, context) =>
            {
                foreach (byte b in bytes)
                {
                    context.GetBufferWriter().GetSpan()[0] = b;
                    context.GetBufferWriter().Advance(1);
                }

                context.Complete();
            },
        ];
        foreach (Action<byte[], SerializationContext> serializer in serializers)
        {
            Assert.Equal(expected, _context.Serialize(message, serializer, size).ToArray());
            _context.Release();
        }
    }

    [Fact]
    public void A_message_past_the_limit_is_refused_before_it_is_written()
    {
        bool written = false;
        RpcException exception = Assert.Throws<RpcException>(() => _context.Serialize(
            11,
            (size, context) =>
            {
                context.SetPayloadLength(size);
                written = true;
            },
            maxMessageSize: 10));
        Assert.Equal(StatusCode.ResourceExhausted, exception.StatusCode);
        Assert.Contains("11 bytes, limit 10", exception.Status.Detail);
        Assert.False(written);
    }

    [Fact]
    public void A_serializer_that_keeps_no_promise_is_told_so()
    {
        Assert.Contains("announced 3 bytes and wrote 2", Failure(context =>
        {
            context.SetPayloadLength(3);
            context.GetBufferWriter().Write<byte>([1, 2]);
            context.Complete();
        }));
        Assert.Contains("without completing", Failure(context => context.GetBufferWriter().Write<byte>([1])));
        Assert.Contains("is complete", Failure(context =>
        {
            context.Complete([1]);
            context.Complete([2]);
        }));
    }

    private string Failure(Action<SerializationContext> serialize) =>
        Assert.Throws<InvalidOperationException>(() => _context.Serialize(0, (_, context) => serialize(context), null)).Message;
}
