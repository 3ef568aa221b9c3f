using System.Net;
using System.Net.Sockets;

namespace LlmCluster.Testing;

/// <summary>Ports of 127.0.0.1 for programs that can't choose one themselves.</summary>
public static class FreePort
{
    /// <summary>
    /// A port that nobody listens on now. Another program may take it before the caller does, so let a server of our
    /// own bind port 0 instead and tell its port, and start others in a loop that tries again.
    /// </summary>
    public static int Next()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
