using System.Diagnostics;
using Grpc.Core;
using Grpc.Net.Client;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Grpc;

/// <summary>Calls that end before their handler says so.</summary>
public sealed class DeadlineAndCancellationTests
{
    [Fact]
    public async Task The_deadline_reaches_the_handler_as_time_and_as_cancellation()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        DateTime? seen = null;
        var cancelled = new TaskCompletionSource();
        server.Script.Unary = async (request, context) =>
        {
            seen = context.Deadline;
            await Task.Delay(ScriptedServer.Patience, context.CancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancelled.SetResult();
            return request;
        };
        DateTime deadline = DateTime.UtcNow.AddMilliseconds(400);
        RpcException exception = await Assert.ThrowsAsync<RpcException>(
            () => server.Unary(new CallOptions(deadline: deadline)).ResponseAsync);
        Assert.Equal(StatusCode.DeadlineExceeded, exception.StatusCode);
        await cancelled.Task.WaitAsync(ScriptedServer.Patience);
        Assert.InRange(seen!.Value, deadline.AddMilliseconds(-50), deadline.AddSeconds(5));
    }

    [Fact]
    public async Task The_client_keeps_the_deadline_when_the_server_does_not()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        var release = new TaskCompletionSource();
        server.Script.Unary = async (request, _) =>
        {
            await release.Task;
            return request;
        };
        long start = Stopwatch.GetTimestamp();
        RpcException exception = await Assert.ThrowsAsync<RpcException>(
            () => server.Unary(new CallOptions(deadline: DateTime.UtcNow.AddMilliseconds(200))).ResponseAsync);
        Assert.Equal(StatusCode.DeadlineExceeded, exception.StatusCode);
        Assert.True(Stopwatch.GetElapsedTime(start) < ScriptedServer.Patience);
        release.SetResult();
    }

    [Fact]
    public async Task The_server_answers_at_the_deadline_though_the_handler_goes_on()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        var release = new TaskCompletionSource();
        server.Script.Unary = async (request, _) =>
        {
            await release.Task;
            return request;
        };

        // A client without a deadline of its own: only the server can end this call.
        using HttpResponseMessage response = await RawGrpc.SendAsync(
            server.Address, BytesService.Unary.FullName, [0, 0, 0, 0, 0], ("grpc-timeout", "150m"));
        Assert.Equal("4", RawGrpc.Status(response));
        release.SetResult();
    }

    [Fact]
    public async Task A_deadline_in_the_past_sends_nothing()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        bool called = false;
        server.Script.Unary = (request, _) =>
        {
            called = true;
            return Task.FromResult(request);
        };
        RpcException exception = await Assert.ThrowsAsync<RpcException>(
            () => server.Unary(new CallOptions(deadline: DateTime.UtcNow.AddSeconds(-1))).ResponseAsync);
        Assert.Equal(StatusCode.DeadlineExceeded, exception.StatusCode);
        await server.Unary();
        Assert.True(called);
        Assert.Equal(0, server.Script.Alive);
    }

    [Theory]
    [InlineData("token")]
    [InlineData("dispose")]
    [InlineData("read token")]
    [InlineData("channel")]
    public async Task A_caller_that_gives_up_is_noticed_by_the_handler(string how)
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        var started = new TaskCompletionSource();
        var cancelled = new TaskCompletionSource();
        server.Script.Echo = async (requests, responses, context) =>
        {
            await responses.WriteAsync(new Blob([1]));
            started.SetResult();
            context.CancellationToken.Register(() => cancelled.TrySetResult());
            while (await requests.MoveNext(context.CancellationToken))
            {
            }
        };
        using var caller = new CancellationTokenSource();
        using var read = new CancellationTokenSource();
        using var channel = GrpcChannel.ForAddress(server.Address);
        using AsyncDuplexStreamingCall<Blob, Blob> call = channel.CreateCallInvoker().AsyncDuplexStreamingCall(
            BytesService.Echo, null, new CallOptions(cancellationToken: caller.Token));
        Assert.True(await call.ResponseStream.MoveNext());
        await started.Task;
        Task<bool> reading = call.ResponseStream.MoveNext(read.Token);
        Action giveUp = how switch
        {
            "token" => caller.Cancel,
            "dispose" => call.Dispose,
            "read token" => read.Cancel,
            _ => channel.Dispose,
        };
        giveUp();
        RpcException exception = await Assert.ThrowsAsync<RpcException>(() => reading.WaitAsync(ScriptedServer.Patience));
        Assert.Equal(StatusCode.Cancelled, exception.StatusCode);
        await cancelled.Task.WaitAsync(ScriptedServer.Patience);
        Assert.Equal(StatusCode.Cancelled, call.GetStatus().StatusCode);
        await Assert.ThrowsAsync<RpcException>(() => call.RequestStream.WriteAsync(new Blob([1])));
    }

    [Fact]
    public async Task A_token_that_is_cancelled_before_the_call_sends_nothing()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        RpcException exception = await Assert.ThrowsAsync<RpcException>(
            () => server.Unary(new CallOptions(cancellationToken: new CancellationToken(true))).ResponseAsync);
        Assert.Equal(StatusCode.Cancelled, exception.StatusCode);
    }

    [Fact]
    public async Task Cancellation_can_be_an_OperationCanceledException()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync(
            channel: new GrpcChannelOptions { ThrowOperationCanceledOnCancellation = true });
        server.Script.Unary = async (request, context) =>
        {
            await Task.Delay(ScriptedServer.Patience, context.CancellationToken);
            return request;
        };
        using var caller = new CancellationTokenSource();
        using AsyncUnaryCall<Blob> call = server.Unary(new CallOptions(cancellationToken: caller.Token));
        caller.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call.ResponseAsync);
    }

    [Fact]
    public async Task A_handler_blocked_on_a_write_is_freed_when_the_caller_leaves()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        var failed = new TaskCompletionSource<Exception>();
        server.Script.Repeat = async (_, responses, _) =>
        {
            try
            {
                while (true)
                {
                    await responses.WriteAsync(new Blob(new byte[256 * 1024]));
                }
            }
            catch (Exception exception)
            {
                failed.SetResult(exception);
                throw;
            }
        };
        using (AsyncServerStreamingCall<Blob> call = server.Repeat())
        {
            Assert.True(await call.ResponseStream.MoveNext());
        }

        Exception seen = await failed.Task.WaitAsync(ScriptedServer.Patience);
        Assert.IsAssignableFrom<OperationCanceledException>(seen);
    }

    [Fact]
    public async Task A_write_blocked_at_the_deadline_is_freed_and_the_status_sent()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        int writes = 0;
        server.Script.Repeat = async (_, responses, _) =>
        {
            while (true)
            {
                await responses.WriteAsync(new Blob(new byte[10_000]));
                writes++;
            }
        };
        using AsyncServerStreamingCall<Blob> call = server.Repeat(new CallOptions(deadline: DateTime.UtcNow.AddMilliseconds(500)));
        await Eventually.TrueAsync(() => Volatile.Read(ref server.Script.Alive) == 0 && writes > 0, ScriptedServer.Patience);
        RpcException exception = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await call.ResponseStream.MoveNext())
            {
            }
        });
        Assert.Equal(StatusCode.DeadlineExceeded, exception.StatusCode);
    }

    [Fact]
    public async Task A_client_that_takes_nothing_is_reset_after_the_deadline()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        var ended = new TaskCompletionSource();
        server.Script.Repeat = async (_, responses, context) =>
        {
            context.GetHttpContext().Response.OnCompleted(() =>
            {
                ended.SetResult();
                return Task.CompletedTask;
            });
            while (true)
            {
                await responses.WriteAsync(new Blob(new byte[10_000]));
            }
        };
        using var client = new HttpClient();
        using HttpRequestMessage request = RawGrpc.Request(
            server.Address, BytesService.Repeat.FullName, [0, 0, 0, 0, 0], ("grpc-timeout", "200m"));
        using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await ended.Task.WaitAsync(ScriptedServer.Patience);
        await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task An_aborted_request_is_a_failure_at_the_caller_at_once()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        server.Script.Echo = async (_, responses, context) =>
        {
            await responses.WriteAsync(new Blob([1]));
            context.GetHttpContext().Abort();
        };
        using AsyncDuplexStreamingCall<Blob, Blob> call = server.Echo();
        RpcException exception = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await call.ResponseStream.MoveNext().WaitAsync(ScriptedServer.Patience))
            {
            }
        });
        Assert.Contains(exception.StatusCode, new[] { StatusCode.Internal, StatusCode.Unavailable, StatusCode.Cancelled });
    }
}
