namespace LlmCluster.Testing;

/// <summary>A real redis-server on 127.0.0.1 that keeps nothing on disk.</summary>
public sealed class RedisServer : IAsyncDisposable
{
    private const int Attempts = 5;

    private readonly TempDirectory _directory = new("redis");
    private readonly string? _password;
    private readonly string[] _tls = [];
    private TestProcess? _process;

    private RedisServer(string? password, bool tls)
    {
        _password = password;
        if (tls)
        {
            (CertificateFile, string key) = TestCertificate.Write(_directory);
            _tls = ["--tls-cert-file", CertificateFile, "--tls-key-file", key, "--tls-ca-cert-file", CertificateFile, "--tls-auth-clients", "no"];
        }
    }

    /// <summary>Its port; the same after a restart.</summary>
    public int Port { get; private set; }

    /// <summary>Where it listens, as <c>127.0.0.1:port</c>.</summary>
    public string Address => $"127.0.0.1:{Port}";

    /// <summary>The URL to connect with, password included.</summary>
    public string Url
    {
        get
        {
            string scheme = CertificateFile is null ? "redis" : "rediss";
            return _password is null ? $"{scheme}://{Address}" : $"{scheme}://:{Uri.EscapeDataString(_password)}@{Address}";
        }
    }

    /// <summary>The certificate that it shows, if it speaks TLS.</summary>
    public string? CertificateFile { get; }

    /// <summary>Whether it runs now.</summary>
    public bool IsRunning => _process is { HasExited: false };

    /// <summary>Starts a server on a free port and returns when it accepts connections.</summary>
    /// <param name="password">What clients must know; nothing by default.</param>
    /// <param name="tls">Whether it speaks TLS, with a certificate that signs itself.</param>
    public static async Task<RedisServer> StartAsync(string? password = null, bool tls = false)
    {
        var server = new RedisServer(password, tls);
        try
        {
            for (int attempt = 1; ; attempt++)
            {
                server.Port = FreePort.Next();
                try
                {
                    await server.LaunchAsync();
                    return server;
                }
                catch (InvalidOperationException) when (attempt < Attempts)
                {
                    // Most likely the port was taken in between; the last attempt tells.
                }
            }
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends the server at once, as a crash would. What it held is lost.</summary>
    public async Task KillAsync()
    {
        if (_process is { } process)
        {
            _process = null;
            await process.DisposeAsync();
        }
    }

    /// <summary>Starts an empty server on the same port, after <see cref="KillAsync"/>.</summary>
    public Task RestartAsync()
    {
        if (_process is not null)
        {
            throw new InvalidOperationException("The server still runs; kill it first.");
        }

        return LaunchAsync();
    }

    /// <summary>Runs a command with <c>redis-cli</c>, against a server without password and TLS, and returns the lines of its answer.</summary>
    public async Task<IReadOnlyList<string>> RunAsync(params string[] command)
    {
        await using var cli = new TestProcess("redis-cli", ["-p", $"{Port}", .. command], _directory.Path);
        if (await cli.WaitForExitAsync() != 0)
        {
            throw new InvalidOperationException(cli.Describe("failed"));
        }

        return [.. cli.Lines.Where(line => line.Length > 0)];
    }

    /// <summary>Stops the server from answering, with its connections open, until <see cref="Thaw"/>.</summary>
    public void Freeze() => Process.Freeze();

    /// <summary>Lets a frozen server run on.</summary>
    public void Thaw() => Process.Thaw();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _directory.Dispose();
    }

    private TestProcess Process => _process ?? throw new InvalidOperationException("The server does not run.");

    private async Task LaunchAsync()
    {
        string[] password = _password is null ? [] : ["--requirepass", _password];
        string[] port = CertificateFile is null ? ["--port", $"{Port}"] : ["--port", "0", "--tls-port", $"{Port}"];
        var process = new TestProcess(
            "redis-server",
            [.. port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", _directory.Path, .. _tls, .. password],
            _directory.Path);
        try
        {
            await process.WaitForLineAsync(
                line => line.Contains("Ready to accept connections", StringComparison.Ordinal), "that it is ready");
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }

        _process = process;
    }
}
