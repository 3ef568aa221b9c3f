using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace LlmCluster.Cluster.Redis;

/// <summary>
/// One multiplexed connection that heals itself. Operations fail with a <see cref="ClusterStateException"/> while it is
/// down, and never wait longer than <see cref="RedisOptions.OperationTimeout"/>.
/// </summary>
internal sealed partial class RedisConnection : IAsyncDisposable
{
    private static readonly TimeSpan ReconnectInterval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(2);

    private readonly ConnectionMultiplexer _multiplexer;
    private readonly IDatabase _database;
    private readonly TimeSpan _timeout;
    private readonly ILogger _logger;
    private volatile bool _disposed;

    private RedisConnection(ConnectionMultiplexer multiplexer, RedisAddress address, TimeSpan timeout, ILogger logger)
    {
        _multiplexer = multiplexer;
        _database = multiplexer.GetDatabase(address.Database);
        _timeout = timeout;
        _logger = logger;
        Address = address;
        multiplexer.ConnectionFailed += (_, failure) => OnFailed(failure);
        multiplexer.ConnectionRestored += (_, restored) => OnRestored(restored);
    }

    public RedisAddress Address { get; }

    /// <summary>Raised when the connection is back, on any thread.</summary>
    public event Action? Restored;

    public static async Task<RedisConnection> ConnectAsync(RedisOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        RedisAddress address = RedisAddress.Parse(options.Url);
        ConfigurationOptions configuration = Configure(options, address);
        long start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            Exception cause;
            TimeSpan left = options.ConnectTimeout - TimeProvider.System.GetElapsedTime(start);
            try
            {
                ConnectionMultiplexer multiplexer = await ConnectOnceAsync(configuration, left, cancellationToken).ConfigureAwait(false);
                return new RedisConnection(multiplexer, address, options.OperationTimeout, logger);
            }
            catch (Exception exception) when (exception is RedisException or TimeoutException)
            {
                cause = exception;
            }

            if (IsRefusal(cause))
            {
                // The client calls a certificate that it doesn't trust a failed authentication, too.
                string orTls = address.Tls ? ", or its TLS certificate is not trusted" : "";
                throw new ClusterStateException($"Redis at {address} could not be connected to: the password is missing or wrong{orTls}.", cause);
            }

            if (options.ConnectTimeout - TimeProvider.System.GetElapsedTime(start) <= ReconnectInterval)
            {
                throw new ClusterStateException(
                    $"Redis at {address} could not be reached within {options.ConnectTimeout.TotalSeconds:0.#} s{(address.Tls ? " over TLS" : "")}.", cause);
            }

            await Task.Delay(ReconnectInterval, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Runs one operation within the deadline and turns its errors into <see cref="ClusterStateException"/>.</summary>
    public async Task<T> RunAsync<T>(string what, Func<IDatabase, Task<T>> operation, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, typeof(RedisClusterState));
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            return await operation(_database).WaitAsync(_timeout, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException exception)
        {
            throw new ClusterStateException(
                $"Redis at {Address} did not answer within {_timeout.TotalSeconds:0.#} s ({what}).", exception);
        }
        catch (RedisConnectionException exception)
        {
            throw new ClusterStateException($"Redis at {Address} can't be reached ({what}).", exception);
        }
        catch (Exception exception) when (exception is RedisException or ObjectDisposedException)
        {
            throw new ClusterStateException($"Redis at {Address} failed ({what}): {exception.Message}", exception);
        }
    }

    /// <summary>Calls the handler for every message on the channel; the subscription survives lost connections.</summary>
    public Task SubscribeAsync(string channel, Action handler, CancellationToken cancellationToken) =>
        RunAsync(
            "subscribe",
            async _ =>
            {
                await _multiplexer.GetSubscriber()
                    .SubscribeAsync(new RedisChannel(channel, RedisChannel.PatternMode.Literal), (_, _) => handler())
                    .ConfigureAwait(false);
                return true;
            },
            cancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        try
        {
            await _multiplexer.CloseAsync(allowCommandsToComplete: false).WaitAsync(_timeout).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is TimeoutException or RedisException)
        {
            LogCloseFailed(Address, exception.Message);
        }
    }

    private static async Task<ConnectionMultiplexer> ConnectOnceAsync(
        ConfigurationOptions configuration, TimeSpan limit, CancellationToken cancellationToken)
    {
        Task<ConnectionMultiplexer> connecting = ConnectionMultiplexer.ConnectAsync(configuration);
        try
        {
            return await connecting.WaitAsync(limit > TimeSpan.Zero ? limit : TimeSpan.Zero, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
        {
            // Whatever it still becomes must not stay open.
            _ = connecting.ContinueWith(
                late => late.Result.Dispose(),
                CancellationToken.None,
                TaskContinuationOptions.OnlyOnRanToCompletion,
                TaskScheduler.Default);
            throw;
        }
    }

    private static ConfigurationOptions Configure(RedisOptions options, RedisAddress address)
    {
        var configuration = new ConfigurationOptions
        {
            // The first connection is tried here, with a deadline and a clear error; later ones by the client itself.
            AbortOnConnectFail = true,
            ConnectRetry = 1,
            ConnectTimeout = (int)Min(AttemptTimeout, options.ConnectTimeout).TotalMilliseconds,
            ReconnectRetryPolicy = new LinearRetry((int)ReconnectInterval.TotalMilliseconds),
            SyncTimeout = (int)options.OperationTimeout.TotalMilliseconds,
            KeepAlive = 5,
            Password = options.Password ?? address.Password,
            Ssl = address.Tls,
            SslHost = address.Tls ? address.Host : null,
            ClientName = "llmcluster",

            // No election among several Redis servers: there is one.
            ConfigurationChannel = "",
            TieBreaker = "",
        };
        configuration.EndPoints.Add(address.Host, address.Port);
        if (options.CertificateAuthorityFile is { } file)
        {
            TrustOnly(configuration, file);
        }

        return configuration;
    }

    private static void TrustOnly(ConfigurationOptions configuration, string file)
    {
        var authorities = new X509Certificate2Collection();
        try
        {
            authorities.ImportFromPemFile(file);
        }
        catch (Exception exception) when (exception is IOException or System.Security.Cryptography.CryptographicException)
        {
            throw new ArgumentException($"'{file}' can't be read as PEM certificates for Redis: {exception.Message}", exception);
        }

        configuration.CertificateValidation += (_, certificate, _, errors) =>
        {
            if (certificate is null || errors.HasFlag(System.Net.Security.SslPolicyErrors.RemoteCertificateNameMismatch))
            {
                return false;
            }

            using var chain = new X509Chain();
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            return chain.Build(new X509Certificate2(certificate));
        };
    }

    private static TimeSpan Min(TimeSpan first, TimeSpan second) => first < second ? first : second;

    private static bool IsRefusal(Exception? cause)
    {
        for (; cause is not null; cause = cause.InnerException)
        {
            if (cause is RedisConnectionException { FailureType: ConnectionFailureType.AuthenticationFailure }
                || cause.Message.Contains("NOAUTH", StringComparison.Ordinal)
                || cause.Message.Contains("WRONGPASS", StringComparison.Ordinal)
                || cause.Message.Contains(nameof(ConnectionFailureType.AuthenticationFailure), StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    private void OnFailed(ConnectionFailedEventArgs failure)
    {
        if (!_disposed && failure.ConnectionType == ConnectionType.Interactive)
        {
            LogLost(Address, failure.FailureType);
        }
    }

    private void OnRestored(ConnectionFailedEventArgs restored)
    {
        if (_disposed)
        {
            return;
        }

        if (restored.ConnectionType == ConnectionType.Interactive)
        {
            LogRestored(Address);
        }

        Restored?.Invoke();
    }

    [LoggerMessage(LogLevel.Warning, "Lost the connection to Redis at {address} ({failure}); trying to reconnect")]
    private partial void LogLost(RedisAddress address, ConnectionFailureType failure);

    [LoggerMessage(LogLevel.Information, "Connected to Redis at {address} again")]
    private partial void LogRestored(RedisAddress address);

    [LoggerMessage(LogLevel.Debug, "Closing the connection to Redis at {address} failed: {reason}")]
    private partial void LogCloseFailed(RedisAddress address, string reason);
}
