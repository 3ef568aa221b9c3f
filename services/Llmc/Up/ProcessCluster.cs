using System.Globalization;
using LlmCluster.Cluster;
using LlmCluster.Cluster.Redis;
using LlmCluster.CommandLine.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace LlmCluster.CommandLine.Up;

/// <summary>The cluster as separate processes that find each other through Redis: this program as gateway and as workers.</summary>
internal sealed class ProcessCluster(UpOptions options, RedisOptions redis, IConfiguration configuration)
{
    /// <summary>How long a service may take to finish its requests and end.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan SignalDelay = TimeSpan.FromMilliseconds(300);

    private readonly TextWriter _log = TextWriter.Synchronized(Console.Error);

    /// <summary>Starts all, says when they serve, and ends them when asked to.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync(CancellationToken stopping)
    {
        await CheckRedisAsync(stopping);
        await using var group = new ChildGroup(_log, Grace);
        ChildProcess? gateway = null;
        string run = $"{Environment.MachineName.ToLowerInvariant()}-{Environment.ProcessId}";
        try
        {
            foreach ((int index, (WorkerRole role, string name)) in options.Workers.All().Index())
            {
                string[] affinity = options.Threads.Affinity(index) is { } processors ? ["--affinity", processors] : [];
                Start(
                    group,
                    name,
                    ["worker", "--role", role.ToString().ToLowerInvariant(), "--id", $"{name}-{run}", "--threads", Text(options.Threads.PerWorker), .. affinity]);
            }

            gateway = Start(group, "gateway", ["gateway", "--host", options.Host, "--port", Text(options.Port)]);
            await group.WaitForReadyAsync(options.StartTimeout, stopping);
            foreach (string line in ReadyMessage.Lines(await gateway.Ready, options, $"in {options.Workers.Total + 1} processes"))
            {
                Console.WriteLine(line);
            }

            await group.WaitForEndAsync(stopping);
            return CommandRunner.Failure;
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return await StopAsync(group, gateway) ? 0 : CommandRunner.Failure;
        }
        catch (Exception exception) when (exception is ChildEndedException or TimeoutException)
        {
            // A signal to the whole group of processes may end a service before this process hears of it.
            await Task.Delay(SignalDelay, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (stopping.IsCancellationRequested)
            {
                return await StopAsync(group, gateway) ? 0 : CommandRunner.Failure;
            }

            await _log.WriteLineAsync($"llmc up: {exception.Message} Ending the others.");
            await StopAsync(group, gateway);
            return CommandRunner.Failure;
        }
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>One clear error here instead of one from each service.</summary>
    private async Task CheckRedisAsync(CancellationToken cancellationToken)
    {
        using ILoggerFactory loggers = ServiceLogging.CreateFactory(configuration);
        await using RedisClusterState state = await RedisClusterState.ConnectAsync(
            redis, loggers.CreateLogger<RedisClusterState>(), cancellationToken);
        await state.GetWorkersAsync(cancellationToken);
    }

    private ChildProcess Start(ChildGroup group, string name, string[] arguments)
    {
        (string program, string[] first) = Self();
        string[] common = [Supervision.Option.Name, "--model", options.ModelPath, "--served-model-name", options.ModelName];
        return group.Start(name, program, [.. first, .. arguments, .. common], Variables());
    }

    /// <summary>Settings go by variables: every user of the machine can read a command line, and Redis' URL may hold a password.</summary>
    private Dictionary<string, string> Variables()
    {
        var variables = new Dictionary<string, string>();
        foreach ((string key, string? value) in configuration.AsEnumerable())
        {
            if (value is not null && ServiceSettings.IsService(key))
            {
                variables[ServiceSettings.VariablePrefix + key.Replace(":", "__", StringComparison.Ordinal)] = value;
            }
        }

        return variables;
    }

    private async Task<bool> StopAsync(ChildGroup group, ChildProcess? gateway)
    {
        IReadOnlyList<string> killed = await group.StopAsync(gateway is null ? [] : [gateway]);
        if (killed.Count > 0)
        {
            await _log.WriteLineAsync($"llmc up: {string.Join(", ", killed)} did not end within {Grace.TotalSeconds:0} s and had to be killed.");
        }

        return killed.Count == 0;
    }

    private static (string Program, string[] Arguments) Self()
    {
        string program = Environment.ProcessPath ?? throw new CommandException("this program's own path can't be found out, so it can't start services.");
        bool isHost = Path.GetFileNameWithoutExtension(program) == "dotnet";
        return (program, isHost ? [Environment.GetCommandLineArgs()[0]] : []);
    }
}
