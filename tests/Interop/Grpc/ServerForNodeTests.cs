using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Interop.Grpc;

/// <summary>Our server driven by <c>@grpc/grpc-js</c>. Each case is a function of <c>node/grpc/client.mjs</c>, which asserts.</summary>
public sealed class ServerForNodeTests(ProbeServerFixture fixture) : IClassFixture<ProbeServerFixture>
{
    [Theory]
    [InlineData("unary")]
    [InlineData("collect")]
    [InlineData("expand")]
    [InlineData("chat")]
    [InlineData("serverStreamsOnAfterTheClientsLast")]
    [InlineData("errors")]
    [InlineData("errorAfterMessages")]
    [InlineData("errorInAStream")]
    [InlineData("unimplemented")]
    [InlineData("metadata")]
    [InlineData("deadlineSeenByTheServer")]
    [InlineData("deadlineExceeded")]
    [InlineData("deadlineOfAStream")]
    [InlineData("cancelUnary")]
    [InlineData("cancelExpand")]
    [InlineData("cancelChat")]
    [InlineData("tenMegabytesEachWay")]
    [InlineData("requestPastTheLimit")]
    [InlineData("responsePastTheLimit")]
    [InlineData("gzippedRequests")]
    [InlineData("manyCalls")]
    [InlineData("slowReader")]
    public Task Case(string name) =>
        NodeScript.RunAsync("grpc/client.mjs", [fixture.Server.Target, name], deadline: TimeSpan.FromMinutes(1));

    [Fact]
    public async Task Health_is_checked_and_watched()
    {
        await using ProbeServer server = await ProbeServer.StartAsync();
        await using TestProcess client = NodeScript.Start("grpc/client.mjs", server.Target, "health");
        await client.WaitForLineAsync(line => line == "status 1", "the first status");
        server.Healthy = false;
        await client.WaitForLineAsync(line => line == "status 2", "the change to NOT_SERVING");
        Assert.Equal(0, await client.WaitForExitAsync());
    }
}

/// <summary>One server for all cases.</summary>
public sealed class ProbeServerFixture : IAsyncLifetime
{
    public ProbeServer Server { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Server = await ProbeServer.StartAsync();

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}
