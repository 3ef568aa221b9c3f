using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace LlmCluster.Bench.Directories;

/// <summary>A redis-server on a free port of 127.0.0.1 that keeps nothing on disk, for a benchmark.</summary>
internal sealed class RedisProcess : IAsyncDisposable
{
    private const int Attempts = 5;
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(20);

    private readonly Process _process;

    private RedisProcess(Process process, int port)
    {
        _process = process;
        Url = $"redis://127.0.0.1:{port}";
    }

    /// <summary>Where it listens.</summary>
    public string Url { get; }

    /// <summary>Starts one and returns when it accepts connections.</summary>
    /// <exception cref="IOException">It could not be started.</exception>
    public static async Task<RedisProcess> StartAsync(CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            int port = FreePort();
            var redis = new RedisProcess(Launch(port), port);
            try
            {
                if (await redis.IsReadyAsync(cancellationToken).ConfigureAwait(false))
                {
                    return redis;
                }
            }
            catch
            {
                await redis.DisposeAsync().ConfigureAwait(false);
                throw;
            }

            // Most likely the port was taken in between.
            await redis.DisposeAsync().ConfigureAwait(false);
            if (attempt == Attempts)
            {
                throw new IOException($"redis-server ended before it was ready, or was not ready within {StartTimeout.TotalSeconds:0} s.");
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        }

        _process.Dispose();
    }

    private static Process Launch(int port)
    {
        string[] arguments = ["--port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", Path.GetTempPath()];
        try
        {
            return Process.Start(new ProcessStartInfo("redis-server", arguments) { RedirectStandardOutput = true })!;
        }
        catch (Win32Exception exception)
        {
            throw new IOException("redis-server can't be started; install it, or name a Redis with --redis.", exception);
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task<bool> IsReadyAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(StartTimeout);
        try
        {
            while (await _process.StandardOutput.ReadLineAsync(limit.Token).ConfigureAwait(false) is { } line)
            {
                if (line.Contains("Ready to accept connections", StringComparison.Ordinal))
                {
                    // Whatever it still says must not fill the pipe.
                    _ = _process.StandardOutput.BaseStream.CopyToAsync(Stream.Null, CancellationToken.None);
                    return true;
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Too slow.
        }

        return false;
    }
}
