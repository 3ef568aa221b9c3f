using System.Globalization;
using Grpc.Net.Client;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Interop.Grpc;

/// <summary>The probe service of <c>node/grpc/server.mjs</c> in a process of its own, and our channel to it.</summary>
public sealed class NodeProbeServer : IAsyncLifetime
{
    private TestProcess? _process;

    public GrpcChannel Channel { get; private set; } = null!;

    public string Address { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        _process = NodeScript.Start("grpc/server.mjs");
        string line = await _process.WaitForLineAsync(text => text.StartsWith("port ", StringComparison.Ordinal), "its port");
        int port = int.Parse(line.AsSpan("port ".Length), CultureInfo.InvariantCulture);
        Address = $"http://127.0.0.1:{port}";
        Channel = GrpcChannel.ForAddress(Address, new GrpcChannelOptions { MaxReceiveMessageSize = 16 << 20 });
    }

    /// <summary>Ends the server as a crash would.</summary>
    public Task KillAsync() => _process!.KillAsync();

    public async ValueTask DisposeAsync()
    {
        Channel?.Dispose();
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }
    }
}
