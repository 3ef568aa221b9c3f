using System.Net;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Xunit;

namespace LlmCluster.Tests.Unit.Grpc;

/// <summary>Requests that are not quite gRPC, and servers that aren't gRPC servers.</summary>
public sealed class ProtocolTests
{
    [Theory]
    [InlineData(new byte[] { }, "13")]
    [InlineData(new byte[] { 0, 0, 0 }, "13")]
    [InlineData(new byte[] { 0, 0, 0, 0, 9, 1 }, "13")]
    [InlineData(new byte[] { 1, 0, 0, 0, 1, 1 }, "13")]
    [InlineData(new byte[] { 0, 0x40, 0, 0, 0 }, "8")]
    public async Task A_broken_request_is_refused_with_a_status(byte[] body, string status)
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        using HttpResponseMessage response = await RawGrpc.SendAsync(server.Address, BytesService.Unary.FullName, body);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(status, RawGrpc.Status(response));
    }

    [Fact]
    public async Task An_error_without_messages_is_said_in_the_headers_alone()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        server.Script.Unary = (_, _) => throw new RpcException(new Status(StatusCode.NotFound, "näh"));
        using HttpResponseMessage response = await RawGrpc.SendAsync(server.Address, BytesService.Unary.FullName, [0, 0, 0, 0, 0]);
        Assert.Equal("5", response.Headers.GetValues("grpc-status").Single());
        Assert.Equal("n%C3%A4h", response.Headers.GetValues("grpc-message").Single());
        Assert.Empty(response.TrailingHeaders);
    }

    [Fact]
    public async Task An_encoding_that_is_not_supported_is_UNIMPLEMENTED_and_the_supported_one_named()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        using HttpResponseMessage response = await RawGrpc.SendAsync(
            server.Address, BytesService.Unary.FullName, [1, 0, 0, 0, 1, 1], ("grpc-encoding", "snappy"));
        Assert.Equal("12", RawGrpc.Status(response));
        Assert.Contains("identity", response.Headers.GetValues("grpc-accept-encoding").Single());
    }

    [Fact]
    public async Task A_message_that_says_gzip_and_is_not_is_refused()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        using HttpResponseMessage response = await RawGrpc.SendAsync(
            server.Address, BytesService.Unary.FullName, [1, 0, 0, 0, 3, 1, 2, 3], ("grpc-encoding", "gzip"));
        Assert.Equal("13", RawGrpc.Status(response));
    }

    [Fact]
    public async Task A_malformed_timeout_is_refused()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        using HttpResponseMessage response = await RawGrpc.SendAsync(
            server.Address, BytesService.Unary.FullName, [0, 0, 0, 0, 0], ("grpc-timeout", "soon"));
        Assert.Equal("13", RawGrpc.Status(response));
    }

    [Fact]
    public async Task Another_content_type_is_415()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        using HttpResponseMessage response = await RawGrpc.SendAsync(
            server.Address, BytesService.Unary.FullName, [], ("content-type", "application/json"));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, response.StatusCode);
    }

    [Fact]
    public async Task Http_1_is_426()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(
            app => app.MapGrpcService<EchoService>(), protocols: HttpProtocols.Http1);
        using var client = new HttpClient();
        using var content = new ByteArrayContent([0, 0, 0, 0, 0]);
        content.Headers.ContentType = new("application/grpc");
        using HttpResponseMessage response = await client.PostAsync(server.Address + BytesService.Unary.FullName, content);
        Assert.Equal(HttpStatusCode.UpgradeRequired, response.StatusCode);
    }

    [Fact]
    public async Task Requests_that_are_not_gRPC_keep_their_own_routes_and_404()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(app =>
        {
            app.MapGrpcService<EchoService>();
            app.MapPost("/v1/completions", () => "completed");
        });
        using HttpResponseMessage served = await RawGrpc.SendAsync(
            server.Address, "/v1/completions", [], ("content-type", "application/json"));
        Assert.Equal("completed", await served.Content.ReadAsStringAsync());
        using HttpResponseMessage missing = await RawGrpc.SendAsync(
            server.Address, "/v1/nothing", [], ("content-type", "application/json"));
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
    }

    [Theory]
    [InlineData(400, StatusCode.Internal)]
    [InlineData(401, StatusCode.Unauthenticated)]
    [InlineData(403, StatusCode.PermissionDenied)]
    [InlineData(404, StatusCode.Unimplemented)]
    [InlineData(429, StatusCode.Unavailable)]
    [InlineData(502, StatusCode.Unavailable)]
    [InlineData(503, StatusCode.Unavailable)]
    [InlineData(504, StatusCode.Unavailable)]
    [InlineData(500, StatusCode.Unknown)]
    [InlineData(200, StatusCode.Unknown)]
    public async Task A_server_that_speaks_no_gRPC_gives_the_status_that_its_http_status_means(int http, StatusCode expected)
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(app => app.MapPost("/{**path}", (HttpContext context) =>
        {
            context.Response.StatusCode = http;
            return context.Response.WriteAsync("<html>");
        }));
        RpcException exception = await Assert.ThrowsAsync<RpcException>(() => server.Channel.CreateCallInvoker()
            .AsyncUnaryCall(BytesService.Unary, null, default, new Blob([])).ResponseAsync);
        Assert.Equal(expected, exception.StatusCode);
    }

    [Fact]
    public async Task A_response_without_status_is_UNKNOWN()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(app => app.MapPost("/{**path}", (HttpContext context) =>
        {
            context.Response.ContentType = "application/grpc";
            return context.Response.Body.WriteAsync(new byte[] { 0, 0, 0, 0, 0 }).AsTask();
        }));
        RpcException exception = await Assert.ThrowsAsync<RpcException>(() => server.Channel.CreateCallInvoker()
            .AsyncUnaryCall(BytesService.Unary, null, default, new Blob([])).ResponseAsync);
        Assert.Equal(StatusCode.Unknown, exception.StatusCode);
    }

    [Fact]
    public async Task Messages_past_a_limit_are_RESOURCE_EXHAUSTED_on_either_side()
    {
        (Action<global::Grpc.AspNetCore.Server.GrpcServiceOptions> Server, GrpcChannelOptions Client)[] limits =
        [
            (options => options.MaxReceiveMessageSize = 1000, new GrpcChannelOptions()),
            (options => options.MaxSendMessageSize = 1000, new GrpcChannelOptions()),
            (_ => { }, new GrpcChannelOptions { MaxReceiveMessageSize = 1000 }),
            (_ => { }, new GrpcChannelOptions { MaxSendMessageSize = 1000 }),
        ];
        foreach (var limit in limits)
        {
            await using ScriptedServer server = await ScriptedServer.StartAsync(limit.Server, limit.Client);
            Assert.Equal(1000, (await server.Unary(request: new byte[1000])).Bytes.Length);
            RpcException exception = await Assert.ThrowsAsync<RpcException>(() => server.Unary(request: new byte[1001]).ResponseAsync);
            Assert.Equal(StatusCode.ResourceExhausted, exception.StatusCode);
            Assert.Contains("1001 bytes, limit 1000", exception.Status.Detail);
        }
    }

    [Fact]
    public async Task The_default_limit_for_messages_received_is_4_MiB()
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        Assert.Equal(4 << 20, (await server.Unary(request: new byte[4 << 20])).Bytes.Length);
        RpcException exception = await Assert.ThrowsAsync<RpcException>(() => server.Unary(request: new byte[(4 << 20) + 1]).ResponseAsync);
        Assert.Equal(StatusCode.ResourceExhausted, exception.StatusCode);
    }
}
