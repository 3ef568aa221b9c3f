using System.Text.Json;
using LlmCluster.Cluster.Accounts;
using LlmCluster.Cluster.Directory;
using LlmCluster.Cluster.Redis.Scripts;
using LlmCluster.Cluster.Reservations;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace LlmCluster.Cluster.Redis;

/// <summary>
/// The cluster's state in Redis 5 or newer: every operation is one round trip, leases run by Redis' clock, and changes
/// are published. If Redis comes back empty, the next heartbeats fill it again.
/// </summary>
public sealed partial class RedisClusterState : IClusterState
{
    /// <summary>Membership, load, and three numbers of what is reserved.</summary>
    private const int FieldsOfWorker = 5;

    private readonly RedisConnection _connection;
    private readonly RedisScriptRunner _scripts;
    private readonly RedisKeys _names;
    private readonly RedisKey[] _keys;
    private readonly string _prefix;
    private readonly ChangeSignal _changes = new();
    private readonly ITimer _timer;
    private readonly ILogger _logger;

    private RedisClusterState(RedisConnection connection, RedisOptions options, ILogger logger)
    {
        _connection = connection;
        _logger = logger;

        _prefix = options.KeyPrefix;
        _scripts = new RedisScriptRunner(connection);
        _names = new RedisKeys(options.KeyPrefix);
        _keys = _names.Workers();
        Directory = new RedisPrefixDirectory(_scripts, _names);
        Reservations = new RedisReservations(_scripts, _names);
        Accounts = new RedisAccounts(_scripts, _names);
        _connection.Restored += _changes.Notify;
        _timer = TimeProvider.System.CreateTimer(
            _ => _changes.Notify(), null, options.WatchInterval, options.WatchInterval);
    }

    /// <summary>Connects to Redis, trying until <see cref="RedisOptions.ConnectTimeout"/>.</summary>
    /// <param name="options">Where it is.</param>
    /// <param name="logger">Hears of lost and restored connections.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <exception cref="ArgumentException">An option can't be used; the message names it.</exception>
    /// <exception cref="ClusterStateException">It could not be reached; the message names the address.</exception>
    public static async Task<RedisClusterState> ConnectAsync(
        RedisOptions options, ILogger? logger = null, CancellationToken cancellationToken = default)
    {
        Check(options);
        logger ??= NullLogger.Instance;
        RedisConnection connection = await RedisConnection.ConnectAsync(options, logger, cancellationToken).ConfigureAwait(false);
        var state = new RedisClusterState(connection, options, logger);
        try
        {
            await connection.SubscribeAsync(state._names.Changed, state._changes.Notify, cancellationToken).ConfigureAwait(false);
            return state;
        }
        catch
        {
            await state.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc/>
    public IPrefixDirectory Directory { get; }

    /// <inheritdoc/>
    public IReservations Reservations { get; }

    /// <inheritdoc/>
    public IAccounts Accounts { get; }

    /// <inheritdoc/>
    public async ValueTask HeartbeatAsync(WorkerSnapshot worker, TimeSpan lease, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(worker);
        Checks.Name(worker.Info.Id);
        Checks.Lifetime(lease);
        byte[] membership = JsonSerializer.SerializeToUtf8Bytes(
            new Membership(worker.Info, worker.Status), WorkerJson.Default.Membership);
        byte[] load = JsonSerializer.SerializeToUtf8Bytes(worker.Load, WorkerJson.Default.WorkerLoad);
        await _scripts.RunAsync(
            "heartbeat",
            MembershipScripts.Heartbeat,
            _keys,
            [worker.Info.Id, membership, load, (long)lease.TotalMilliseconds, worker.Status == WorkerStatus.Draining],
            cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask LeaveAsync(string workerId, CancellationToken cancellationToken = default)
    {
        Checks.Name(workerId);
        await _scripts.RunAsync("leave", MembershipScripts.Leave, _keys, [workerId], cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<WorkerSnapshot>> GetWorkersAsync(CancellationToken cancellationToken = default)
    {
        RedisResult result = await _scripts.RunAsync("read workers", MembershipScripts.Read, _keys, [], cancellationToken).ConfigureAwait(false);
        var values = (RedisValue[])result!;
        var workers = new List<WorkerSnapshot>(values.Length / FieldsOfWorker);
        for (int i = 0; i < values.Length; i += FieldsOfWorker)
        {
            if (Parse(values[i]!, values[i + 1]!) is { } worker)
            {
                workers.Add(worker with { Reserved = RedisReservations.Room(values, i + 2) });
            }
        }

        workers.Sort((left, right) => string.CompareOrdinal(left.Info.Id, right.Info.Id));
        return workers;
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<long> WatchAsync(CancellationToken cancellationToken = default) =>
        _changes.WatchAsync(cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<long> NextAsync(string counter, CancellationToken cancellationToken = default)
    {
        Checks.Name(counter);
        RedisKey key = _names.Counter(counter);
        return await _connection.RunAsync("count", database => database.StringIncrementAsync(key), cancellationToken)
            .ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync().ConfigureAwait(false);
        _changes.Close();
        await _connection.DisposeAsync().ConfigureAwait(false);
    }

    private static void Check(RedisOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (string.IsNullOrWhiteSpace(options.KeyPrefix) || options.KeyPrefix.AsSpan().ContainsAny('{', '}'))
        {
            throw new ArgumentException($"Redis key prefix '{options.KeyPrefix}' can't be used: it must not be empty or hold braces.");
        }

        CheckPositive(options.ConnectTimeout, nameof(options.ConnectTimeout));
        CheckPositive(options.OperationTimeout, nameof(options.OperationTimeout));
        CheckPositive(options.WatchInterval, nameof(options.WatchInterval));
    }

    private static void CheckPositive(TimeSpan value, string name)
    {
        if (value < TimeSpan.FromMilliseconds(1) || value > TimeSpan.FromHours(1))
        {
            throw new ArgumentException($"Redis option {name} is {value}; it must be between one millisecond and one hour.");
        }
    }

    private WorkerSnapshot? Parse(byte[] membership, byte[] load)
    {
        try
        {
            Membership member = JsonSerializer.Deserialize(membership, WorkerJson.Default.Membership)!;
            return new WorkerSnapshot(member.Info, member.Status, JsonSerializer.Deserialize(load, WorkerJson.Default.WorkerLoad)!);
        }
        catch (JsonException exception)
        {
            // One worker of another version must not hide the others.
            LogUnreadable(_prefix, exception.Message);
            return null;
        }
    }

    [LoggerMessage(LogLevel.Warning, "Ignoring a worker of cluster {prefix} whose entry in Redis can't be read: {reason}")]
    private partial void LogUnreadable(string prefix, string reason);
}
