using System.Diagnostics;
using System.Globalization;
using LlmCluster.Bench.Statistics;
using LlmCluster.Cluster;
using LlmCluster.Cluster.Directory;
using LlmCluster.Cluster.Redis;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace LlmCluster.Bench.Directories;

/// <summary>The prefix-cache directory in one Redis: how fast workers publish, how fast gateways look prompts up, and what a block takes.</summary>
public sealed class DirectoryBenchmark
{
    private const int KeysPerStep = 1000;

    private readonly DirectoryBenchmarkOptions _options;
    private readonly RedisOptions _redis;
    private readonly RedisConnection _connection;
    private readonly IClusterState _workers;
    private readonly IClusterState _gateway;
    private readonly IProgress<string> _progress;

    private DirectoryBenchmark(
        DirectoryBenchmarkOptions options,
        RedisOptions redis,
        RedisConnection connection,
        IClusterState workers,
        IClusterState gateway,
        IProgress<string> progress)
    {
        _options = options;
        _redis = redis;
        _connection = connection;
        _workers = workers;
        _gateway = gateway;
        _progress = progress;
    }

    /// <summary>Fills a directory and measures.</summary>
    /// <param name="options">What to measure.</param>
    /// <param name="progress">Told what is going on.</param>
    /// <param name="cancellationToken">Ends the benchmark.</param>
    /// <exception cref="ArgumentException">The options are out of range.</exception>
    /// <exception cref="ClusterStateException">Redis can't be reached.</exception>
    /// <exception cref="IOException">No Redis could be started.</exception>
    public static async Task<DirectoryBenchmarkResult> RunAsync(
        DirectoryBenchmarkOptions options, IProgress<string> progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(progress);
        options.Validate();
        RedisProcess? server = options.RedisUrl is null ? await RedisProcess.StartAsync(cancellationToken).ConfigureAwait(false) : null;
        try
        {
            var redis = new RedisOptions
            {
                Url = options.RedisUrl ?? server!.Url,
                KeyPrefix = $"llmcluster-bench-{Guid.NewGuid():N}",
                OperationTimeout = TimeSpan.FromSeconds(10),
            };
            return await RunAsync(options, redis, progress, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            if (server is not null)
            {
                await server.DisposeAsync().ConfigureAwait(false);
            }
        }
    }

    private static async Task<DirectoryBenchmarkResult> RunAsync(
        DirectoryBenchmarkOptions options, RedisOptions redis, IProgress<string> progress, CancellationToken cancellationToken)
    {
        RedisConnection connection = await RedisConnection.ConnectAsync(redis, NullLogger.Instance, cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            RedisClusterState workers = await RedisClusterState.ConnectAsync(redis, cancellationToken: cancellationToken).ConfigureAwait(false);
            await using (workers.ConfigureAwait(false))
            {
                RedisClusterState gateway = await RedisClusterState.ConnectAsync(redis, cancellationToken: cancellationToken).ConfigureAwait(false);
                await using (gateway.ConfigureAwait(false))
                {
                    var benchmark = new DirectoryBenchmark(options, redis, connection, workers, gateway, progress);
                    try
                    {
                        return await benchmark.MeasureAsync(cancellationToken).ConfigureAwait(false);
                    }
                    finally
                    {
                        // A server of the benchmark's own is ended instead.
                        if (options.RedisUrl is not null)
                        {
                            await benchmark.CleanUpAsync().ConfigureAwait(false);
                        }
                    }
                }
            }
        }
    }

    private static string Id(int worker) => $"worker-{worker:000}";

    private async Task<DirectoryBenchmarkResult> MeasureAsync(CancellationToken cancellationToken)
    {
        _progress.Report("making up conversations");
        var corpus = new DirectoryCorpus(_options.Blocks, _options.Workers);
        await JoinAsync(cancellationToken).ConfigureAwait(false);
        long memory = await UsedMemoryAsync(cancellationToken).ConfigureAwait(false);
        (int publications, double seconds) = await PublishAsync(corpus, cancellationToken).ConfigureAwait(false);
        memory = await UsedMemoryAsync(cancellationToken).ConfigureAwait(false) - memory;
        DirectoryUse use = await _gateway.Directory.GetUseAsync(cancellationToken).ConfigureAwait(false);
        double[] short16 = await TimeLookupsAsync(corpus, 16, cancellationToken).ConfigureAwait(false);
        double[] middle256 = await TimeLookupsAsync(corpus, 256, cancellationToken).ConfigureAwait(false);
        double[] long4096 = await TimeLookupsAsync(corpus, 4096, cancellationToken).ConfigureAwait(false);
        double rate = await CountLookupsAsync(corpus, 256, cancellationToken).ConfigureAwait(false);
        return new DirectoryBenchmarkResult
        {
            Blocks = corpus.Blocks,
            Entries = use.Entries,
            Workers = _options.Workers,
            Batch = _options.Batch,
            Parallel = _options.Parallel,
            PublishesPerSecond = Math.Round(publications / seconds, 1),
            ChangesPerSecond = Math.Round(corpus.Changes.Sum(changes => (long)changes.Count) / seconds),
            LookupsPerSecond = Math.Round(rate),
            Lookup16P50 = Round(short16, 0.5),
            Lookup16P99 = Round(short16, 0.99),
            Lookup256P50 = Round(middle256, 0.5),
            Lookup256P99 = Round(middle256, 0.99),
            Lookup4096P50 = Round(long4096, 0.5),
            Lookup4096P99 = Round(long4096, 0.99),
            BytesPerBlock = Math.Round((double)memory / corpus.Blocks, 1),
            BytesPerEntry = Math.Round((double)memory / use.Entries, 1),
        };

        static double Round(double[] times, double share) => Math.Round(Percentile.Of(times, share), 3);
    }

    private async Task JoinAsync(CancellationToken cancellationToken)
    {
        for (int worker = 0; worker < _options.Workers; worker++)
        {
            var info = new WorkerInfo
            {
                Id = Id(worker),
                Role = WorkerRole.Mixed,
                Model = "bench",
                ModelFingerprint = "bench",
                LayoutFingerprint = "bench",
                HttpEndpoint = new Uri("http://127.0.0.1:1"),
                GrpcEndpoint = new Uri("http://127.0.0.1:1"),
                TotalBlocks = _options.Blocks,
                BlockSize = 16,
                ContextLength = 16 * IPrefixDirectory.MaxLookup,
            };
            await _workers.HeartbeatAsync(new WorkerSnapshot(info, WorkerStatus.Ready, new WorkerLoad()), TimeSpan.FromHours(1), cancellationToken)
                .ConfigureAwait(false);
        }
    }

    private async Task<(int Publications, double Seconds)> PublishAsync(DirectoryCorpus corpus, CancellationToken cancellationToken)
    {
        long began = Stopwatch.GetTimestamp();
        int publications = 0;
        int ready = 0;
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = _options.Parallel, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, _options.Workers, parallel, async (worker, cancellation) =>
        {
            bool restart = true;
            foreach (BlockChange[] batch in corpus.Changes[worker].Chunk(_options.Batch))
            {
                if (!await _workers.Directory.PublishAsync(Id(worker), batch, restart, cancellation).ConfigureAwait(false))
                {
                    throw new InvalidOperationException($"What {Id(worker)} published was not noted.");
                }

                restart = false;
                Interlocked.Increment(ref publications);
            }

            int done = Interlocked.Increment(ref ready);
            if (done % Math.Max(1, _options.Workers / 8) == 0)
            {
                _progress.Report($"{done} of {_options.Workers} workers have published their blocks");
            }
        }).ConfigureAwait(false);
        return (publications, Stopwatch.GetElapsedTime(began).TotalSeconds);
    }

    private async Task<double[]> TimeLookupsAsync(DirectoryCorpus corpus, int blocks, CancellationToken cancellationToken)
    {
        _progress.Report($"looking up prompts of {blocks} blocks");
        ReadOnlyMemory<ulong>[] prompts = Prompts(corpus, blocks);
        int warmUp = _options.Lookups / 10;
        var times = new double[_options.Lookups];
        for (int i = -warmUp; i < times.Length; i++)
        {
            ReadOnlyMemory<ulong> prompt = prompts[(i + warmUp) % prompts.Length];
            long began = Stopwatch.GetTimestamp();
            IReadOnlyList<PrefixMatch> matches = await _gateway.Directory.FindAsync(prompt, cancellationToken).ConfigureAwait(false);
            double time = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
            Check(matches, blocks);
            if (i >= 0)
            {
                times[i] = time;
            }
        }

        return times;
    }

    private async Task<double> CountLookupsAsync(DirectoryCorpus corpus, int blocks, CancellationToken cancellationToken)
    {
        _progress.Report($"looking up prompts of {blocks} blocks, {_options.Parallel} at a time");
        ReadOnlyMemory<ulong>[] prompts = Prompts(corpus, blocks);
        int count = 10 * _options.Lookups;
        long began = Stopwatch.GetTimestamp();
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = _options.Parallel, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, count, parallel, async (i, cancellation) =>
            Check(await _gateway.Directory.FindAsync(prompts[i % prompts.Length], cancellation).ConfigureAwait(false), blocks)).ConfigureAwait(false);
        return count / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private static ReadOnlyMemory<ulong>[] Prompts(DirectoryCorpus corpus, int blocks)
    {
        ReadOnlyMemory<ulong>[] prompts =
            [.. corpus.Conversations.Where(conversation => conversation.Length >= blocks).Select(conversation => conversation.AsMemory(0, blocks))];
        new Random(2).Shuffle(prompts);
        return prompts;
    }

    private static void Check(IReadOnlyList<PrefixMatch> matches, int blocks)
    {
        if (matches.Count == 0 || matches.Max(match => match.Blocks) != blocks)
        {
            throw new InvalidOperationException($"The directory did not find the holder of a prompt of {blocks} blocks.");
        }
    }

    private async Task<long> UsedMemoryAsync(CancellationToken cancellationToken)
    {
        const string Field = "used_memory:";
        string info = (string)(await _connection.RunAsync(
            "read memory", database => database.ScriptEvaluateAsync("return redis.call('INFO', 'memory')"), cancellationToken).ConfigureAwait(false))!;
        string line = info.Split('\n').First(line => line.StartsWith(Field, StringComparison.Ordinal));
        return long.Parse(line.AsSpan(Field.Length).Trim(), CultureInfo.InvariantCulture);
    }

    private async Task CleanUpAsync()
    {
        _progress.Report("removing what was written to Redis");
        var names = new RedisKeys(_redis.KeyPrefix);
        foreach (RedisKey[] keys in names.Workers().Concat(names.Buckets()).Chunk(KeysPerStep))
        {
            await _connection.RunAsync("clean up", database => database.KeyDeleteAsync(keys), CancellationToken.None).ConfigureAwait(false);
        }
    }
}
