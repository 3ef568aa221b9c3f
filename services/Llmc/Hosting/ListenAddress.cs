using System.Net;
using System.Net.Sockets;

namespace LlmCluster.CommandLine.Hosting;

/// <summary>Where a service shall listen.</summary>
internal static class ListenAddress
{
    /// <summary>Makes sure that a port can be listened on, so that the error names the option that would help.</summary>
    /// <param name="host">An IP address, <c>localhost</c>, <c>*</c> or a name that is left to the server.</param>
    /// <param name="port">The port; 0 is always free.</param>
    /// <param name="option">The option that chooses the port.</param>
    /// <exception cref="CommandException">Somebody listens there, or this user may not.</exception>
    public static void EnsureFree(string host, int port, string option)
    {
        if (port == 0 || Resolve(host) is not { } address)
        {
            return;
        }

        try
        {
            using var listener = new TcpListener(address, port);
            listener.Start();
        }
        catch (SocketException exception)
        {
            string why = exception.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => "is in use",
                SocketError.AccessDenied => "may not be listened on by this user",
                SocketError.AddressNotAvailable => "can't be listened on, for this machine does not have that address",
                _ => $"can't be listened on ({exception.SocketErrorCode})",
            };
            throw new CommandException($"port {port} of {host} {why}; choose another with {option} (0 takes a free one).", exception);
        }
    }

    /// <summary>The URL to listen on.</summary>
    public static string Url(string host, int port) =>
        host.Contains(':') && !host.StartsWith('[') ? $"http://[{host}]:{port}" : $"http://{host}:{port}";

    /// <summary>A server's address as it is shown: without the slash at its end.</summary>
    public static string Text(Uri address) => address.GetLeftPart(UriPartial.Authority);

    private static IPAddress? Resolve(string host) => host switch
    {
        "localhost" => IPAddress.Loopback,
        "*" or "+" => IPAddress.IPv6Any,
        _ => IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? address) ? address : null,
    };
}
