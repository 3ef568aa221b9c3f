using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Xunit;

namespace LlmCluster.Tests.Unit.Grpc;

/// <summary>The stand-in's client against its server: the four call kinds and their messages.</summary>
public sealed class LoopbackTests : IAsyncLifetime
{
    private GrpcTestServer _server = null!;
    private CallInvoker _invoker = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await GrpcTestServer.StartAsync(
            app => app.MapGrpcService<EchoService>(),
            options => options.MaxReceiveMessageSize = null,
            channel: new() { MaxReceiveMessageSize = null });
        _invoker = _server.Channel.CreateCallInvoker();
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(100_000)]
    [InlineData(10_000_000)]
    public async Task Unary_calls_carry_messages_of_every_size(int size)
    {
        byte[] payload = Payload(size);
        foreach (Method<Blob, Blob> method in new[] { BytesService.Unary, BytesService.UnaryUnannounced, BytesService.UnaryArrays })
        {
            Blob response = await _invoker.AsyncUnaryCall(method, null, new CallOptions(), new Blob(payload));
            Assert.True(payload.AsSpan().SequenceEqual(response.Bytes), $"{method.Name} changed the message.");
        }
    }

    [Fact]
    public async Task A_large_request_is_deserialized_in_the_pipe_s_own_segments()
    {
        using AsyncClientStreamingCall<Blob, Blob> call = _invoker.AsyncClientStreamingCall(BytesService.Collect, null, new CallOptions());
        await call.RequestStream.WriteAsync(new Blob(Payload(1_000_000)));
        await call.RequestStream.CompleteAsync();
        await call;
        Assert.True(EchoService.LargestSegmentCount > 1, "The request was joined into one piece.");
    }

    [Fact]
    public async Task Client_streaming_collects_every_message()
    {
        using AsyncClientStreamingCall<Blob, Blob> call = _invoker.AsyncClientStreamingCall(BytesService.Collect, null, new CallOptions());
        for (int i = 1; i <= 50; i++)
        {
            await call.RequestStream.WriteAsync(new Blob(Payload(i * 1000)));
        }

        await call.RequestStream.CompleteAsync();
        Blob response = await call;
        Assert.Equal(50 * 51 / 2 * 1000, BitConverter.ToInt32(response.Bytes));
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task Server_streaming_delivers_every_message_in_order()
    {
        using AsyncServerStreamingCall<Blob> call =
            _invoker.AsyncServerStreamingCall(BytesService.Repeat, null, new CallOptions(), new Blob(BitConverter.GetBytes(100)));
        int next = 0;
        await foreach (Blob blob in call.ResponseStream.ReadAllAsync())
        {
            Assert.Equal(Payload(next++ * 700), blob.Bytes);
        }

        Assert.Equal(100, next);
    }

    [Fact]
    public async Task Duplex_streaming_reads_and_writes_at_once()
    {
        using AsyncDuplexStreamingCall<Blob, Blob> call = _invoker.AsyncDuplexStreamingCall(BytesService.Echo, null, new CallOptions());
        Task writing = Task.Run(async () =>
        {
            for (int i = 0; i < 40; i++)
            {
                await call.RequestStream.WriteAsync(new Blob(Payload(i * 10_000)));
            }

            await call.RequestStream.CompleteAsync();
        });
        int next = 0;
        while (await call.ResponseStream.MoveNext())
        {
            Assert.Equal(Payload(next++ * 10_000), call.ResponseStream.Current.Bytes);
        }

        await writing;
        Assert.Equal(40, next);
    }

    private static byte[] Payload(int size)
    {
        byte[] bytes = new byte[size];
        new Random(size).NextBytes(bytes);
        return bytes;
    }
}
