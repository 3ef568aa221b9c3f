using System.Net;
using System.Net.Sockets;
using LlmCluster.CommandLine.Hosting;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Commands;

public sealed class ListenAddressTests
{
    [Fact]
    public void APortInUseIsNamedWithTheOptionThatHelps()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        int port = ((IPEndPoint)other.LocalEndpoint).Port;
        var error = Assert.Throws<CommandException>(() => ListenAddress.EnsureFree("127.0.0.1", port, "--port"));
        Assert.Equal($"port {port} of 127.0.0.1 is in use; choose another with --port (0 takes a free one).", error.Message);
    }

    [Fact]
    public void AFreePortPasses()
    {
        ListenAddress.EnsureFree("127.0.0.1", FreePort.Next(), "--port");
        ListenAddress.EnsureFree("127.0.0.1", 0, "--port");
        ListenAddress.EnsureFree("localhost", FreePort.Next(), "--port");
    }

    [Fact]
    public void AnAddressOfAnotherMachineIsRefused()
    {
        // 192.0.2.0/24 belongs to nobody: it is for documentation.
        var error = Assert.Throws<CommandException>(() => ListenAddress.EnsureFree("192.0.2.1", 8080, "--port"));
        Assert.Contains("this machine does not have that address", error.Message);
    }

    [Theory]
    [InlineData("127.0.0.1", 8080, "http://127.0.0.1:8080")]
    [InlineData("::1", 80, "http://[::1]:80")]
    [InlineData("[::1]", 81, "http://[::1]:81")]
    [InlineData("*", 0, "http://*:0")]
    public void MakesUrls(string host, int port, string url) => Assert.Equal(url, ListenAddress.Url(host, port));

    [Theory]
    [InlineData("http://0.0.0.0:8080", "http://127.0.0.1:8080")]
    [InlineData("http://[::]:8080", "http://127.0.0.1:8080")]
    [InlineData("http://10.0.0.1:8080/", "http://10.0.0.1:8080")]
    public void KnowsHowToReachWhatListensEverywhere(string listening, string reachable) =>
        Assert.Equal(reachable, ListenAddress.Text(GatewayReadiness.Reachable(new Uri(listening))));
}
