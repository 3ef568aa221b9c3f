using Grpc.Core;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Grpc;

/// <summary>Streams under pressure, out of step and in number.</summary>
public sealed class StreamingTests
{
    [Fact]
    public async Task A_client_s_writes_wait_for_a_server_that_does_not_read()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        var read = new TaskCompletionSource();
        int received = 0;
        server.Script.Collect = async (requests, context) =>
        {
            await read.Task;
            while (await requests.MoveNext(context.CancellationToken))
            {
                received++;
            }

            return new Blob([]);
        };
        using AsyncClientStreamingCall<Blob, Blob> call = server.Collect();
        int written = await WriteUntilBlockedAsync(() => call.RequestStream.WriteAsync(new Blob(new byte[100_000])), 500);
        read.SetResult();
        await _pending!;
        await call.RequestStream.CompleteAsync();
        await call;
        Assert.Equal(written + 1, received);
    }

    [Fact]
    public async Task A_server_s_writes_wait_for_a_client_that_does_not_read()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        var blocked = new TaskCompletionSource<int>();
        server.Script.Repeat = async (_, responses, _) =>
        {
            blocked.SetResult(await WriteUntilBlockedAsync(() => responses.WriteAsync(new Blob(new byte[100_000])), 500));
            await _pending!;
        };
        using AsyncServerStreamingCall<Blob> call = server.Repeat();
        int written = await blocked.Task.WaitAsync(ScriptedServer.Patience);
        int received = 0;
        while (await call.ResponseStream.MoveNext())
        {
            received++;
        }

        Assert.Equal(written + 1, received);
    }

    [Fact]
    public async Task A_server_goes_on_streaming_after_the_client_s_last_request()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        server.Script.Echo = async (requests, responses, context) =>
        {
            int count = 0;
            while (await requests.MoveNext(context.CancellationToken))
            {
                count++;
            }

            for (int i = 0; i < count * 100; i++)
            {
                await responses.WriteAsync(new Blob(new byte[1000]));
            }
        };
        using AsyncDuplexStreamingCall<Blob, Blob> call = server.Echo();
        await call.RequestStream.WriteAsync(new Blob([]));
        await call.RequestStream.WriteAsync(new Blob([]));
        await call.RequestStream.CompleteAsync();
        int received = 0;
        while (await call.ResponseStream.MoveNext())
        {
            received++;
        }

        Assert.Equal(200, received);
        await Assert.ThrowsAsync<InvalidOperationException>(() => call.RequestStream.WriteAsync(new Blob([])));
    }

    [Theory]
    [InlineData(StatusCode.OK)]
    [InlineData(StatusCode.Aborted)]
    public async Task A_server_that_ends_early_tells_a_client_that_still_writes(StatusCode status)
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        server.Script.Echo = async (requests, responses, context) =>
        {
            await requests.MoveNext(context.CancellationToken);
            await responses.WriteAsync(requests.Current);
            context.Status = new Status(status, "enough");
        };
        using AsyncDuplexStreamingCall<Blob, Blob> call = server.Echo();
        Task<RpcException> writing = Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (true)
            {
                await call.RequestStream.WriteAsync(new Blob(new byte[50_000]));
            }
        });
        Assert.True(await call.ResponseStream.MoveNext());
        if (status == StatusCode.OK)
        {
            Assert.False(await call.ResponseStream.MoveNext());
        }
        else
        {
            RpcException exception = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext());
            Assert.Equal((status, "enough"), (exception.StatusCode, exception.Status.Detail));
        }

        await writing.WaitAsync(ScriptedServer.Patience);
        Assert.Equal(status, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task One_read_and_one_write_at_a_time()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        var release = new TaskCompletionSource();
        server.Script.Echo = (_, _, _) => release.Task;
        using AsyncDuplexStreamingCall<Blob, Blob> call = server.Echo();
        Task<bool> reading = call.ResponseStream.MoveNext();
        Assert.Throws<InvalidOperationException>(() => { _ = call.ResponseStream.MoveNext(); });
        int written = await WriteUntilBlockedAsync(() => call.RequestStream.WriteAsync(new Blob(new byte[100_000])), 500);
        Assert.True(written > 0);
        await Assert.ThrowsAsync<InvalidOperationException>(() => call.RequestStream.WriteAsync(new Blob([])));
        await Assert.ThrowsAsync<InvalidOperationException>(() => call.RequestStream.CompleteAsync());
        release.SetResult();
        Assert.False(await reading);
        await Assert.ThrowsAsync<RpcException>(() => _pending!);
    }

    [Fact]
    public async Task A_read_that_a_handler_leaves_behind_ends_with_the_call()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        IAsyncStreamReader<Blob>? reader = null;
        Task<bool>? leftOver = null;
        server.Script.Echo = (requests, _, _) =>
        {
            reader = requests;
            leftOver = requests.MoveNext(CancellationToken.None);
            return Task.CompletedTask;
        };
        using AsyncDuplexStreamingCall<Blob, Blob> call = server.Echo();
        Assert.False(await call.ResponseStream.MoveNext());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leftOver!.WaitAsync(ScriptedServer.Patience));
        Assert.Throws<InvalidOperationException>(() => { _ = reader!.MoveNext(CancellationToken.None); });
        Assert.Equal([7], (await server.Unary(request: [7])).Bytes);
    }

    [Fact]
    public async Task Buffered_writes_arrive_with_the_next_flush()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        server.Script.Repeat = async (_, responses, _) =>
        {
            responses.WriteOptions = new WriteOptions(WriteFlags.BufferHint);
            await responses.WriteAsync(new Blob([1]));
            await responses.WriteAsync(new Blob([2]));
            responses.WriteOptions = null;
            await responses.WriteAsync(new Blob([3]));
        };
        using AsyncServerStreamingCall<Blob> call = server.Repeat();
        List<byte> received = [];
        await foreach (Blob blob in call.ResponseStream.ReadAllAsync())
        {
            received.AddRange(blob.Bytes);
        }

        Assert.Equal([1, 2, 3], received);
    }

    [Fact]
    public async Task A_serializer_that_fails_on_the_server_ends_the_call_and_not_the_connection()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        var broken = new Method<Blob, Blob>(
            MethodType.ServerStreaming, BytesService.Name, BytesService.Repeat.Name, BytesService.Announced, BytesService.Arrays);
        server.Script.Repeat = async (_, responses, _) => await responses.WriteAsync(new Blob(null!));
        using AsyncServerStreamingCall<Blob> call =
            server.Channel.CreateCallInvoker().AsyncServerStreamingCall(broken, null, default, new Blob([]));
        await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext());
        Assert.Equal([4], (await server.Unary(request: [4])).Bytes);
    }

    [Fact]
    public async Task A_hundred_calls_share_a_channel()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        server.Script.Echo = async (requests, responses, context) =>
        {
            await foreach (Blob request in requests.ReadAllAsync(context.CancellationToken))
            {
                await responses.WriteAsync(request);
            }
        };
        await Parallel.ForAsync(0, 100, new ParallelOptions { MaxDegreeOfParallelism = 100 }, async (i, _) =>
        {
            using AsyncDuplexStreamingCall<Blob, Blob> call = server.Echo(new CallOptions(deadline: DateTime.UtcNow + ScriptedServer.Patience));
            for (int n = 0; n < 10; n++)
            {
                byte[] bytes = new byte[i * 100 + n];
                bytes.AsSpan().Fill((byte)i);
                await call.RequestStream.WriteAsync(new Blob(bytes));
                Assert.True(await call.ResponseStream.MoveNext());
                Assert.Equal(bytes, call.ResponseStream.Current.Bytes);
            }

            await call.RequestStream.CompleteAsync();
            Assert.False(await call.ResponseStream.MoveNext());
        });
    }

    private Task? _pending;

    /// <summary>Writes until one write hasn't ended for a while, and gives the number of those that have.</summary>
    private async Task<int> WriteUntilBlockedAsync(Func<Task> write, int most)
    {
        for (int written = 0; written < most; written++)
        {
            _pending = write();
            if (await Task.WhenAny(_pending, Task.Delay(TimeSpan.FromSeconds(1.5))) != _pending)
            {
                return written;
            }

            await _pending;
        }

        throw new InvalidOperationException($"{most} writes went through although nobody reads.");
    }
}
