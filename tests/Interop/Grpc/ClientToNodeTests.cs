using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Interop.Grpc;

/// <summary>Our client and generated stubs against a <c>@grpc/grpc-js</c> server.</summary>
public sealed class ClientToNodeTests(NodeProbeServer server) : IClassFixture<NodeProbeServer>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Probe.ProbeClient _client = new(server.Channel);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(70_000)]
    [InlineData(10 << 20)]
    public async Task Unary(int size)
    {
        ByteString payload = Payload(size);
        Item item = await _client.UnaryAsync(new Order { Payload = payload }, deadline: DateTime.UtcNow + Patience);
        Assert.Equal(payload, item.Payload);
    }

    [Fact]
    public async Task Blocking_unary()
    {
        Item item = await Task.Run(() => _client.Unary(new Order { Payload = Payload(5) }));
        Assert.Equal(5, item.Payload.Length);
    }

    [Fact]
    public async Task Client_streaming()
    {
        using AsyncClientStreamingCall<Order, Item> call = _client.Collect();
        for (int i = 0; i < 100; i++)
        {
            await call.RequestStream.WriteAsync(new Order { Payload = Payload(i * 1000) });
        }

        await call.RequestStream.CompleteAsync();
        Item item = await call;
        Assert.Equal((100, 4950 * 1000), (item.Count, item.Bytes));
    }

    [Fact]
    public async Task Server_streaming()
    {
        using AsyncServerStreamingCall<Item> call = _client.Expand(new Order { Count = 200, Size = 3000 });
        int next = 0;
        await foreach (Item item in call.ResponseStream.ReadAllAsync())
        {
            Assert.Equal(next++, item.Count);
            Assert.Equal(Payload(3000), item.Payload);
        }

        Assert.Equal(200, next);
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task Duplex_streaming_with_ten_megabytes_each_way()
    {
        ByteString payload = Payload(10 << 20);
        using AsyncDuplexStreamingCall<Order, Item> call = _client.Chat();
        Task writing = Task.Run(async () =>
        {
            for (int i = 0; i < 3; i++)
            {
                await call.RequestStream.WriteAsync(new Order { Payload = payload });
            }

            await call.RequestStream.CompleteAsync();
        });
        int received = 0;
        await foreach (Item item in call.ResponseStream.ReadAllAsync())
        {
            Assert.Equal(payload, item.Payload);
            received++;
        }

        await writing;
        Assert.Equal(3, received);
    }

    [Fact]
    public async Task The_server_streams_on_after_the_client_s_last()
    {
        using AsyncDuplexStreamingCall<Order, Item> call = _client.Chat();
        await call.RequestStream.WriteAsync(new Order { Count = 500 });
        await call.RequestStream.CompleteAsync();
        int received = 0;
        while (await call.ResponseStream.MoveNext())
        {
            received++;
        }

        Assert.Equal(501, received);
    }

    [Fact]
    public async Task Errors_carry_status_message_and_trailers()
    {
        foreach (StatusCode code in Enum.GetValues<StatusCode>().Where(code => code != StatusCode.OK))
        {
            string message = $"code {code}: größe 模型 🦙 100%\n!";
            RpcException exception = await Assert.ThrowsAsync<RpcException>(
                () => _client.UnaryAsync(new Order { Status = (int)code, Message = message }).ResponseAsync);
            Assert.Equal((code, message), (exception.StatusCode, exception.Status.Detail));
            Assert.Equal("ordered", exception.Trailers.GetValue("reason"));
            Assert.Equal([0, 1, 254, 255], exception.Trailers.GetValueBytes("reason-bin"));
        }
    }

    [Fact]
    public async Task An_error_after_messages_follows_them()
    {
        using AsyncServerStreamingCall<Item> call =
            _client.Expand(new Order { Count = 3, Size = 10, Status = (int)StatusCode.Aborted, Message = "halt" });
        int received = 0;
        RpcException exception = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await call.ResponseStream.MoveNext())
            {
                received++;
            }
        });
        Assert.Equal((3, StatusCode.Aborted, "halt"), (received, exception.StatusCode, exception.Status.Detail));
    }

    [Fact]
    public async Task An_error_in_a_client_stream_reaches_the_response()
    {
        using AsyncClientStreamingCall<Order, Item> call = _client.Collect();
        await call.RequestStream.WriteAsync(new Order { Status = (int)StatusCode.OutOfRange, Message = "ü" });
        await call.RequestStream.CompleteAsync();
        RpcException exception = await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync);
        Assert.Equal((StatusCode.OutOfRange, "ü"), (exception.StatusCode, exception.Status.Detail));
    }

    [Fact]
    public async Task A_method_that_is_not_there_is_UNIMPLEMENTED()
    {
        RpcException exception = await Assert.ThrowsAsync<RpcException>(() => _client.MissingAsync(new Order()).ResponseAsync);
        Assert.Equal(StatusCode.Unimplemented, exception.StatusCode);
    }

    [Fact]
    public async Task Metadata_go_both_ways()
    {
        var metadata = new Metadata
        {
            { "echo-text", "one, two" },
            { "echo-data-bin", [0, 1, 2, 255] },
            { "echo-data-bin", [3] },
            { "other", "not echoed" },
        };
        using AsyncUnaryCall<Item> call = _client.UnaryAsync(new Order { EchoMetadata = true }, metadata);
        Metadata headers = await call.ResponseHeadersAsync;
        await call;
        foreach (Metadata received in new[] { headers, call.GetTrailers() })
        {
            Assert.Equal("one, two", received.GetValue("echo-text"));
            Assert.Equal([[0, 1, 2, 255], [3]], received.GetAll("echo-data-bin").Select(entry => entry.ValueBytes));
            Assert.Null(received.Get("other"));
        }
    }

    [Fact]
    public async Task The_server_sees_the_deadline()
    {
        Item item = await _client.UnaryAsync(new Order(), deadline: DateTime.UtcNow.AddSeconds(30));
        Assert.InRange(item.DeadlineMs, 15_000, 30_000);
        Assert.Equal(0, (await _client.UnaryAsync(new Order())).DeadlineMs);
    }

    [Fact]
    public async Task The_deadline_ends_the_call_on_both_sides()
    {
        int cancelled = (await ReportAsync()).Cancelled;
        RpcException exception = await Assert.ThrowsAsync<RpcException>(
            () => _client.UnaryAsync(new Order { Hang = true }, deadline: DateTime.UtcNow.AddSeconds(1)).ResponseAsync);
        Assert.Equal(StatusCode.DeadlineExceeded, exception.StatusCode);
        await CancelledAsync(cancelled + 1);
    }

    [Fact]
    public async Task Cancellation_ends_a_stream_on_both_sides()
    {
        int cancelled = (await ReportAsync()).Cancelled;
        using var cancellation = new CancellationTokenSource();
        using AsyncServerStreamingCall<Item> call =
            _client.Expand(new Order { Count = 2, Size = 10, Hang = true }, cancellationToken: cancellation.Token);
        Assert.True(await call.ResponseStream.MoveNext());
        Assert.True(await call.ResponseStream.MoveNext());
        Task<bool> reading = call.ResponseStream.MoveNext();
        cancellation.Cancel();
        RpcException exception = await Assert.ThrowsAsync<RpcException>(() => reading.WaitAsync(Patience));
        Assert.Equal(StatusCode.Cancelled, exception.StatusCode);
        await CancelledAsync(cancelled + 1);
    }

    [Fact]
    public async Task Disposal_ends_a_duplex_stream_on_both_sides()
    {
        Counts before = await ReportAsync();
        using (AsyncDuplexStreamingCall<Order, Item> call = _client.Chat())
        {
            await call.RequestStream.WriteAsync(new Order { Payload = Payload(10) });
            Assert.True(await call.ResponseStream.MoveNext());
            await call.RequestStream.WriteAsync(new Order { Hang = true, EchoMetadata = false });
            await call.RequestStream.WriteAsync(new Order { Payload = Payload(10) });
            Assert.True(await call.ResponseStream.MoveNext());
        }

        await CancelledAsync(before.Cancelled + 1);
    }

    [Fact]
    public async Task Messages_past_a_limit_are_RESOURCE_EXHAUSTED_on_either_side()
    {
        RpcException exception = await Assert.ThrowsAsync<RpcException>(
            () => _client.UnaryAsync(new Order { Payload = Payload(17 << 20) }).ResponseAsync);
        Assert.Equal(StatusCode.ResourceExhausted, exception.StatusCode);
        using var small = GrpcChannel.ForAddress(server.Address);
        exception = await Assert.ThrowsAsync<RpcException>(
            () => new Probe.ProbeClient(small).UnaryAsync(new Order { Size = 5 << 20 }).ResponseAsync);
        Assert.Equal(StatusCode.ResourceExhausted, exception.StatusCode);
    }

    [Fact]
    public async Task A_hundred_calls_at_once() =>
        await Parallel.ForAsync(0, 100, new ParallelOptions { MaxDegreeOfParallelism = 100 }, async (i, _) =>
        {
            Item item = await _client.UnaryAsync(new Order { Payload = Payload(i * 500) });
            Assert.Equal(i * 500, item.Payload.Length);
            using AsyncServerStreamingCall<Item> call = _client.Expand(new Order { Count = i, Size = 100 });
            int received = 0;
            while (await call.ResponseStream.MoveNext())
            {
                received++;
            }

            Assert.Equal(i, received);
        });

    [Fact]
    public async Task A_slow_reader_holds_the_server_back()
    {
        const int Items = 2000;
        long sent = (await ReportAsync()).Sent;
        using AsyncServerStreamingCall<Item> call = _client.Expand(new Order { Count = Items, Size = 10_000 });
        Assert.True(await call.ResponseStream.MoveNext());
        long before = -1;
        await Eventually.TrueAsync(async () =>
        {
            await Task.Delay(300);
            long now = (await ReportAsync()).Sent;
            (bool still, before) = (now == before && now > sent, now);
            return still;
        });
        Assert.True(before - sent < Items / 2, $"{before - sent} of {Items} items were sent though nobody reads.");
        int received = 1;
        while (await call.ResponseStream.MoveNext())
        {
            received++;
        }

        Assert.Equal(Items, received);
    }

    [Fact]
    public async Task A_server_that_dies_fails_its_calls()
    {
        var victim = new NodeProbeServer();
        await victim.InitializeAsync();
        var client = new Probe.ProbeClient(victim.Channel);
        using AsyncServerStreamingCall<Item> call = client.Expand(new Order { Count = 1, Size = 10, Hang = true });
        Assert.True(await call.ResponseStream.MoveNext());
        Task<bool> reading = call.ResponseStream.MoveNext();
        await victim.KillAsync();
        RpcException exception = await Assert.ThrowsAsync<RpcException>(() => reading.WaitAsync(Patience));
        Assert.Equal(StatusCode.Unavailable, exception.StatusCode);
        exception = await Assert.ThrowsAsync<RpcException>(() => client.UnaryAsync(new Order()).ResponseAsync.WaitAsync(Patience));
        Assert.Equal(StatusCode.Unavailable, exception.StatusCode);
        await victim.DisposeAsync();
    }

    private static ByteString Payload(int size) => UnsafeByteOperations.UnsafeWrap(ProbeService.Pattern(size));

    private async Task<Counts> ReportAsync() => await _client.ReportAsync(new Order());

    private async Task CancelledAsync(int count) =>
        await Eventually.TrueAsync(async () => (await ReportAsync()).Cancelled == count);
}
