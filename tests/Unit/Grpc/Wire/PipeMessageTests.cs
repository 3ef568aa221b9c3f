using System.Buffers;
using System.IO.Pipelines;
using Grpc.AspNetCore.Server.Internal;
using Grpc.Core;
using Grpc.Core.Wire;
using Grpc.Net.Client.Internal;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Grpc.Wire;

/// <summary>Messages into the server's response pipe and out of the client's response stream, cut in every way.</summary>
public sealed class PipeMessageTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_the_server_writes_the_client_reads_however_it_is_cut(bool announce)
    {
        byte[][] messages = [.. Enumerable.Range(0, 40).Select(i => Payload(i * i * 11))];
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        var serialization = new PipeSerializationContext(pipe.Writer, null);
        foreach (byte[] message in messages)
        {
            serialization.Serialize(message, (bytes, context) =>
            {
                if (announce)
                {
                    context.SetPayloadLength(bytes.Length);
                }

                context.GetBufferWriter().Write(bytes);
                context.Complete();
            });
        }

        await pipe.Writer.CompleteAsync();
        ReadResult written = await pipe.Reader.ReadAtLeastAsync(int.MaxValue);
        byte[] body = written.Buffer.ToArray();
        foreach (int step in new[] { 1, 4, 7, 1000, 100_000 })
        {
            var reader = new ResponseMessageReader(new TrickleStream(body, step), 20_000);
            foreach (byte[] message in messages)
            {
                Assert.True(await reader.ReadAsync(CancellationToken.None));
                Assert.Equal(message, reader.Payload.ToArray());
            }

            Assert.False(await reader.ReadAsync(CancellationToken.None));
            reader.Release();
        }
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0 }, StatusCode.Internal)]
    [InlineData(new byte[] { 0, 0, 0, 0, 2, 9 }, StatusCode.Internal)]
    [InlineData(new byte[] { 1, 0, 0, 0, 1, 9 }, StatusCode.Internal)]
    [InlineData(new byte[] { 7, 0, 0, 0, 1, 9 }, StatusCode.Internal)]
    [InlineData(new byte[] { 0, 0, 0, 0, 101 }, StatusCode.ResourceExhausted)]
    [InlineData(new byte[] { 0, 255, 255, 255, 255 }, StatusCode.ResourceExhausted)]
    public async Task A_broken_body_ends_with_a_status(byte[] body, StatusCode expected)
    {
        var reader = new ResponseMessageReader(new TrickleStream(body, 100), 100);
        RpcException exception = await Assert.ThrowsAsync<RpcException>(async () => await reader.ReadAsync(CancellationToken.None));
        Assert.Equal(expected, exception.StatusCode);
    }

    [Fact]
    public void A_header_is_read_across_segments()
    {
        byte[] header = [0, 0, 1, 2, 3];
        for (int cut = 0; cut <= 5; cut++)
        {
            Assert.Equal((0x010203, false), MessageFraming.ReadHeader(Segments.CutAt(header, cut), null));
        }
    }

    [Fact]
    public void A_serializer_that_fails_midway_breaks_the_pipe_and_one_that_fails_before_does_not()
    {
        var serialization = new PipeSerializationContext(new Pipe().Writer, null);
        Assert.Throws<FormatException>(() => serialization.Serialize(0, (_, _) => throw new FormatException()));
        Assert.False(serialization.IsBroken);
        Assert.Throws<InvalidOperationException>(() => serialization.Serialize(0, (_, context) =>
        {
            context.SetPayloadLength(2);
            context.GetBufferWriter().Write<byte>([1]);
            context.Complete();
        }));
        Assert.True(serialization.IsBroken);
    }

    private static byte[] Payload(int size)
    {
        byte[] bytes = new byte[size];
        new Random(size).NextBytes(bytes);
        return bytes;
    }

    /// <summary>A body that arrives in pieces of a fixed size.</summary>
    private sealed class TrickleStream(byte[] body, int step) : MemoryStream(body)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            new(base.Read(buffer.Span[..Math.Min(step, buffer.Length)]));
    }
}
