using Grpc.Core;
using Xunit;

namespace LlmCluster.Tests.Unit.Grpc;

/// <summary>How calls end: status, message, headers and trailers.</summary>
public sealed class StatusTests
{
    [Fact]
    public async Task A_handler_s_status_message_and_trailers_reach_the_caller()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        server.Script.Unary = (_, context) =>
        {
            context.ResponseTrailers.Add("from", "context");
            throw new RpcException(
                new Status(StatusCode.FailedPrecondition, "Layouts differ: größe 模型 100%\n🦙"),
                new Metadata { { "from", "exception" }, { "hash-bin", [0, 255, 1] } });
        };
        using AsyncUnaryCall<Blob> call = server.Unary();
        RpcException exception = await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync);
        Assert.Equal(StatusCode.FailedPrecondition, exception.StatusCode);
        Assert.Equal("Layouts differ: größe 模型 100%\n🦙", exception.Status.Detail);
        Assert.Equal(["context", "exception"], exception.Trailers.GetAll("from").Select(entry => entry.Value));
        Assert.Equal([0, 255, 1], exception.Trailers.GetValueBytes("hash-bin"));
        Assert.Equal(StatusCode.FailedPrecondition, call.GetStatus().StatusCode);
        Assert.Equal("exception", call.GetTrailers().GetValue("from"));
    }

    [Fact]
    public async Task Headers_go_both_ways_with_repeated_and_binary_keys()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        Metadata? received = null;
        server.Script.Unary = async (request, context) =>
        {
            received = context.RequestHeaders;
            await context.WriteResponseHeadersAsync(new Metadata { { "a", "1" }, { "a", "2" }, { "b-bin", [9] } });
            context.ResponseTrailers.Add("c-bin", [8, 8]);
            return request;
        };
        var headers = new Metadata { { "request-id", "r1" }, { "x", "1" }, { "x", "2" }, { "trace-bin", [1, 2, 3, 4] }, { "trace-bin", [5] } };
        using AsyncUnaryCall<Blob> call = server.Unary(new CallOptions(headers));
        await call;
        Assert.Equal("r1", received!.GetValue("request-id"));

        // A sender may join the values of a text header, and .NET's HTTP/2 client does.
        Assert.Equal("1, 2", string.Join(", ", received.GetAll("x").Select(entry => entry.Value)));
        Assert.Equal([[1, 2, 3, 4], [5]], received.GetAll("trace-bin").Select(entry => entry.ValueBytes));
        Assert.DoesNotContain(received, entry => entry.Key is "content-type" or "te" or "grpc-accept-encoding");
        Metadata responseHeaders = await call.ResponseHeadersAsync;
        Assert.Equal(["1", "2"], responseHeaders.GetAll("a").Select(entry => entry.Value));
        Assert.Equal([9], responseHeaders.GetValueBytes("b-bin"));
        Assert.Equal([8, 8], call.GetTrailers().GetValueBytes("c-bin"));
    }

    [Fact]
    public async Task Response_headers_arrive_before_the_first_message()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        var release = new TaskCompletionSource();
        server.Script.Repeat = async (_, _, context) =>
        {
            await context.WriteResponseHeadersAsync(new Metadata { { "early", "yes" } });
            await release.Task;
        };
        using AsyncServerStreamingCall<Blob> call = server.Repeat();
        Metadata headers = await call.ResponseHeadersAsync.WaitAsync(ScriptedServer.Patience);
        Assert.Equal("yes", headers.GetValue("early"));
        release.SetResult();
        Assert.False(await call.ResponseStream.MoveNext());
    }

    [Theory]
    [InlineData(true, "Exception was thrown by handler. FormatException: secret")]
    [InlineData(false, "Exception was thrown by handler.")]
    public async Task An_exception_is_UNKNOWN_and_told_only_on_request(bool detailed, string expected)
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync(options => options.EnableDetailedErrors = detailed);
        server.Script.Unary = (_, _) => throw new FormatException("secret");
        RpcException exception = await Assert.ThrowsAsync<RpcException>(() => server.Unary().ResponseAsync);
        Assert.Equal(StatusCode.Unknown, exception.StatusCode);
        Assert.Equal(expected, exception.Status.Detail);
    }

    [Fact]
    public async Task A_status_after_messages_follows_them()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        server.Script.Repeat = async (_, responses, context) =>
        {
            await responses.WriteAsync(new Blob([1]));
            await responses.WriteAsync(new Blob([2]));
            context.ResponseTrailers.Add("sent", "2");
            context.Status = new Status(StatusCode.DataLoss, "gone");
        };
        using AsyncServerStreamingCall<Blob> call = server.Repeat();
        Assert.True(await call.ResponseStream.MoveNext());
        Assert.True(await call.ResponseStream.MoveNext());
        Assert.Equal([2], call.ResponseStream.Current.Bytes);
        Assert.Throws<InvalidOperationException>(() => call.GetStatus());
        RpcException exception = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext());
        Assert.Equal((StatusCode.DataLoss, "gone"), (exception.StatusCode, exception.Status.Detail));
        Assert.Equal("2", exception.Trailers.GetValue("sent"));
    }

    [Fact]
    public async Task A_method_or_service_that_is_not_there_is_UNIMPLEMENTED()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        CallInvoker invoker = server.Channel.CreateCallInvoker();
        foreach ((string service, string name) in new[] { (BytesService.Name, "Nothing"), ("other.Service", "Unary") })
        {
            var method = new Method<Blob, Blob>(MethodType.Unary, service, name, BytesService.Announced, BytesService.Announced);
            RpcException exception = await Assert.ThrowsAsync<RpcException>(
                () => invoker.AsyncUnaryCall(method, null, default, new Blob([])).ResponseAsync);
            Assert.Equal(StatusCode.Unimplemented, exception.StatusCode);
            Assert.Contains(method.FullName, exception.Status.Detail);
        }
    }

    [Fact]
    public async Task A_server_that_nobody_runs_is_UNAVAILABLE()
    {
        using var channel = global::Grpc.Net.Client.GrpcChannel.ForAddress($"http://127.0.0.1:{Testing.FreePort.Next()}");
        using AsyncUnaryCall<Blob> call =
            channel.CreateCallInvoker().AsyncUnaryCall(BytesService.Unary, null, default, new Blob([]));
        RpcException exception = await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync);
        Assert.Equal(StatusCode.Unavailable, exception.StatusCode);
        await Assert.ThrowsAsync<RpcException>(() => call.ResponseHeadersAsync);
    }

    [Fact]
    public async Task A_response_that_lacks_or_repeats_its_message_is_an_error()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        server.Script.Repeat = async (request, responses, _) =>
        {
            for (int i = 0; i < request.Bytes[0]; i++)
            {
                await responses.WriteAsync(request);
            }
        };
        var asUnary = new Method<Blob, Blob>(
            MethodType.Unary, BytesService.Name, BytesService.Repeat.Name, BytesService.Announced, BytesService.Announced);
        CallInvoker invoker = server.Channel.CreateCallInvoker();
        foreach (byte count in new byte[] { 0, 2 })
        {
            RpcException exception = await Assert.ThrowsAsync<RpcException>(
                () => invoker.AsyncUnaryCall(asUnary, null, default, new Blob([count])).ResponseAsync);
            Assert.Equal(StatusCode.Internal, exception.StatusCode);
        }
    }

    [Fact]
    public async Task A_blocking_call_returns_the_response_or_throws_the_status()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        CallInvoker invoker = server.Channel.CreateCallInvoker();
        Blob response = await Task.Run(() => invoker.BlockingUnaryCall(BytesService.Unary, null, default, new Blob([5])));
        Assert.Equal([5], response.Bytes);
        server.Script.Unary = (_, _) => throw new RpcException(new Status(StatusCode.NotFound, "no"));
        RpcException exception = await Assert.ThrowsAsync<RpcException>(
            () => Task.Run(() => invoker.BlockingUnaryCall(BytesService.Unary, null, default, new Blob([5]))));
        Assert.Equal(StatusCode.NotFound, exception.StatusCode);
    }
}
